//! The words attackers cannot do without, by what they are for. Stems, as normalisation leaves them; a stem begins a word
//! unless it is in a script without spaces.

/// What a word is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// Ignore, forget, bypass.
    Override,
    /// Previous, above, everything.
    Prior,
    /// Instructions, rules, prompts.
    Instruction,
    /// Reveal, repeat, print.
    Reveal,
    /// System prompt, your instructions.
    Hidden,
    /// Password, secret key.
    Secret,
    /// A person's data that the model was told in confidence.
    Personal,
    /// A new task, starting over.
    Anew,
    /// Asks for a role; harmless alone.
    Role,
    /// Asks for a role without limits.
    Takeover,
    /// What only a prompt template contains.
    Delimiter,
    /// Makes a tool do something.
    Tool,
    /// Claims to be somebody who may.
    Authority,
}

/// The stems of each class.
pub(super) const WORDS: &[(Class, &[&str])] = &[
    (Class::Override, &[
        " ignor", " disregard", " forget", " overlook ", " neglect", " bypass", " overrid", " overwrit", " circumvent", " abandon",
        " cancel ", " skip ", " drop ", " discard", " leave behind", " pay no attention", " do not follow", " don t follow",
        " do not obey", " don t obey", " stop following", " not obey", " set aside", " put aside", " leave all",
        " vergiss", " vergesse", " vergessen", " missacht", " uberschreib", " uberspring", " lass alle", " lassen sie alle",
        " oublie", " olvid", " omit", " haz caso omiso", " esquec", " dimentica", " negeer", " vergeet", " zignoruj",
        " zapomn", " pomin", " игнорир", " забуд", " проигнорир", " 무시", "忽略", "忽视", "無視", "无视", "忘记", "忘れ", "무시", "تجاهل",
        " agnoy", " अनदेखा", " बेफिक्र", " unut", " yok say", " gormezden", " bo qua",
    ]),
    (Class::Prior, &[
        " previous", " prior ", " preceding", " preceeding", " above", " earlier", " former ", " everything", " all of the", " foregoing",
        " before ", " so far", " until now", " up to now", " already given", " you have been told", " you were told", " you were given",
        " all the ", " all your", " any previous", " any prior", " initial ", " original ",
        " vorherig", " vorangegangen", " bisherig", " obig", " obenstehend", " alles ", " alle ", " davor ", " fruher", " zuvor ",
        " precedent", " ci dessus", " anterior", " previa", " de arriba", " todo lo", " todas las", " tudo ", " sopra",
        " предыдущ", " прежн", " выше", " все ", " eerdere", " vorige", " poprzedni", " wszystk", "之前", "以上", "前面", "先前", "上述",
        "これまで", "以前の", "上記", "이전", "위의", "السابق", " पिछले", " onceki", " yukaridaki", " truoc",
    ]),
    (Class::Instruction, &[
        " instruct", " prompt", " rules ", " rule ", " directi", " command", " orders ", " order ", " guideline", " guidance", " task",
        " assignment", " context ", " constraint", " restriction", " filter", " safeguard", " programming ", " training ", " system message",
        " polic", " informations ", " information ", " said ", " text ", " texts ", " conversation", " requests ",
        " anweisung", " instruktion", " befehl", " aufgabe", " regeln", " vorgaben", " anordnung", " auftrag", " gesagte", " hinweis",
        " consigne", " regles", " ordre", " instruccion", " ordenes", " reglas", " indicacion", " instruc", " istruzion", " comandi",
        " инструкц", " указан", " команд", " правил", " instructies", " polecen", " instrukc", "指示", "指令", "命令", "规则", "提示",
        "지시", "명령", "تعليمات", " निर्देश", " talimat", " huong dan",
    ]),
    (Class::Reveal, &[
        " reveal", " show ", " print", " repeat", " output", " tell ", " give ", " display", " disclose", " leak", " expose", " share ",
        " spell", " what is", " what are", " what s ", " whats ", " write ", " list ", " translate ", " encode", " provide ", " send ",
        " return ", " dump ", " recite", " copy ", " summarize ", " start with", " begin with", " say ", " decode", " hint", " reverse",
        " zeig", " nenn", " sag ", " sage ", " gib ", " verrat", " drucke", " schreib", " wiederhol", " was ist", " wie laut", " welche ",
        " montre", " affiche", " repete", " quel ", " muestra", " muestrame", " dime", " repite", " cual ", " dame ", " qual ", " dimmi",
        " покаж", " назов", " скаж", " повтор", " како", " напиш", "告诉", "显示", "输出", "教えて", "알려", "말해", "出力",
    ]),
    (Class::Hidden, &[
        " system prompt", " systemprompt", " system message", " initial prompt", " initial instruct", " original instruct", " original prompt",
        " your instruct", " your prompt", " your rules", " your guidelines", " your system", " hidden prompt", " hidden instruct",
        " secret instruct", " prompt text", " developer message", " developer prompt", " your initial", " your original", " your directives",
        " your programming", " your configuration", " words above", " text above", " prompt above", " instructions above", " sentences above",
        " deine anweisung", " deine instruktion", " ihre anweisung", " deinen prompt", " dein prompt", " deine prompts", " ihre prompts", " ihre instruktion",
        " tes instruct", " vos instruct", " tus instruc", " sus instruc", " системн", "系统提示", "システムプロンプト",
    ]),
    (Class::Secret, &[
        " the password", " your password", " secret key", " the secret", " your secret", " passphrase", " access code", " secret word",
        " api key", " password ", " das passwort", " dein passwort", " passwort", " mot de passe", " contrasena", " senha", " пароль", " парол",
        "密码", "パスワード", "비밀번호", " credentials ",
    ]),
    (Class::Personal, &[
        " the user s", " user s ", " users in your", " the user live", " the user is living", " the users ", " susan s email", " the customer s", " other users",
        " пользовател", " del usuario", " de l utilisateur", " des benutzers", "用户的", "사용자의", "ユーザーの",
    ]),
    (Class::Anew, &[
        " new task", " new instruct", " new assignment", " new orders", " new directi", " next task", " further tasks", " start over", " from scratch", " start from the beginning",
        " start from the front", " following task instead", " now focus on", " your real task", " your actual task", " new prompt", " neue aufgabe", " neuen aufgabe",
        " neuer aufgabe", " weitere aufgabe", " von vorne", " neue anweisung", " nouvelle tache", " nueva tarea", " новая задача", " новое задание", "新任务", "新的任务",
        " that is enough", " that s enough", " that is done", " very good now", " very well now", " sehr gut jetzt", " das ist erledigt", " das hast du gut gemacht", " attention stop", " achtung stopp",
    ]),
    (Class::Role, &[
        " act as", " pretend", " you are now", " roleplay", " role play", " from now on", " behave as", " simulate ", " impersonat", " i want you to act",
        " stell dir vor du bist", " du bist jetzt", " du bist nun", " ab jetzt", " fungier", " agis comme", " actua como", " eres ahora", " tu es maintenant", " ты теперь",
        " sie als ", " you will act", " take on the role", " you re now", " you shall be", " stay in character", " in the role of",
    ]),
    (Class::Takeover, &[
        " do anything now", " developer mode", " debug mode", " god mode", " admin mode", " sudo mode", " maintenance mode", " override mode", " system mode", " jailbreak", " jailbroken", " dan mode", " evil mode",
        " no longer bound", " free from all", " without any filter", " without any restriction", " without restrictions", " no restrictions", " no filters", " unfiltered",
        " no ethical", " without ethical", " no special filtering", " no moral", " bose ki", " evil ai", " opposite mode", " unrestricted ai", " system reset", " you are free from", " developer training data override",
        " entwicklermodus", " ohne einschrankung", " mode developpeur", " modo desarrollador", " режим разработчик", " system override", " security override", " superuser", " root access", " with full access",
    ]),
    (Class::Delimiter, &[
        "<|im_start|>", "<|im_end|>", "<|system|>", "<|user|>", "<|assistant|>", "<|endoftext|>", "[inst]", "[/inst]", "<<sys>>", "<</sys>>", "<system>", "</system>", "[system]", "[/system]",
        "<|eot_id|>", "<|start_header_id|>", "###system", "### system", "### instruction", "end of system prompt", "end of prompt", " begin system", " end user input", "</user_input>", "</instructions>", "{system}", "{{system",
    ]),
    (Class::Tool, &[
        " call the tool", " invoke the tool", " use the tool", " execute the following", " run the following command", " run this command", " rm rf", " curl http", " wget http", " call the function", " tool call", " function call",
        " exec ", " os system", " subprocess", " drop table", " exfiltrat", " forward all", " send all emails", " without asking for confirmation", " do not tell the user", " don t tell the user", " without telling the user", " do not mention this",
    ]),
    (Class::Authority, &[
        " i am your developer", " i am the developer", " i am the admin", " i m the admin", " i am an admin", " as your administrator", " i am your creator", " openai employee", " i am a police officer", " law enforcement",
        " i m the president", " authorized by", " i am authorized", " i am the owner", " this is an emergency", " ich bin dein entwickler", " i have permission", " i m an engineer", " i m from the security",
        " as an ai developed by", " i am the user", " security audit", " i m your developer", " i m the developer",
    ]),
];
