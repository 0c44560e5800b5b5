//! Calls: what goes over the wire, and what happens when it fails.

use super::super::health::probe;
use super::*;
use octopussy_core::agent::Fallback;
use octopussy_core::ports::ProviderHealth;
use std::time::Instant;

#[tokio::test]
async fn every_protocol_streams_its_answers() {
    let (url, script) = serve(&[]).await;
    let (router, ..) = router(json!({ "providers": {
        "openai": { "kind": "openai", "url": url, "model": "m", "api_key_secret": "k", "cost_in": 1.0, "cost_out": 2.0 },
        "anthropic": { "kind": "anthropic", "url": url, "model": "m", "api_key": "${secret:k}" },
        "ollama": { "kind": "ollama", "url": url, "model": "m" },
        "gemini": { "kind": "gemini", "url": url, "model": "m", "api_key_secret": "k" },
    }}));
    for name in ["openai", "anthropic", "ollama", "gemini"] {
        let (result, streamed) = ask(&router, &of(name), LONG).await;
        let completion = result.unwrap();
        assert_eq!((completion.text.as_str(), streamed.as_str()), ("Hello", "Hello"), "{name}");
        assert_eq!(completion.by, format!("{name}/m"));
        assert_eq!((completion.usage.prompt_tokens, completion.usage.completion_tokens), (11, 2), "{name}");
        assert_eq!(completion.usage.cost_micros, if name == "openai" { 15 } else { 0 });
    }
    let seen = script.seen.lock();
    let key = request(LONG).key.unwrap().to_string();
    for (seen, path) in
        seen.iter().zip(["/v1/chat/completions", "/v1/messages", "/api/chat", "/v1beta/models/m:streamGenerateContent"])
    {
        assert_eq!(seen.path, path);
        assert_eq!(seen.headers["idempotency-key"], key.as_str());
        assert!(seen.body["model"] == "m" || path.contains("/m:"), "{}", seen.body);
        assert!(seen.body.to_string().contains("[a.md:3]"), "{}", seen.body);
    }
    assert_eq!(seen[0].headers["authorization"], "Bearer sk-one");
    assert_eq!(seen[1].headers["x-api-key"], "sk-one");
    assert_eq!(seen[3].headers["x-goog-api-key"], "sk-one");
    assert_eq!(seen[3].body["systemInstruction"]["parts"][0]["text"], "Be brief.");
}

#[tokio::test]
async fn passing_errors_are_tried_again_and_lasting_ones_are_not() {
    let (url, script) =
        serve(&[Act::Status(500), Act::RateLimit, Act::Answer, Act::Status(400), Act::Status(401)]).await;
    let (router, ..) = router(json!({ "providers": { "p": { "url": url, "model": "m" } } }));
    assert_eq!(ask(&router, &of("p"), LONG).await.0.unwrap().text, "Hello");
    assert_eq!(script.seen.lock().len(), 3);
    let rejected = ask(&router, &of("p"), LONG).await.0.unwrap_err();
    assert!(matches!(&rejected, LlmError::Rejected { detail, .. } if detail.contains("boom")), "{rejected:?}");
    assert!(matches!(ask(&router, &of("p"), LONG).await.0, Err(LlmError::Unauthorized { .. })));
    assert_eq!(script.seen.lock().len(), 5);
}

#[tokio::test]
async fn an_answer_that_is_too_long_is_refused_once_and_not_paid_for_again() {
    let (url, script) = serve(&[Act::Long]).await;
    let (router, ..) = router(json!({ "providers": { "p": { "url": url, "model": "m" } } }));
    let (refused, streamed) = ask(&router, &of("p"), LONG).await;
    let refused = refused.unwrap_err();
    let told = format!("the answer is longer than {MAX_COMPLETION_BYTES} bytes");
    assert!(matches!(&refused, LlmError::Rejected { detail, .. } if detail.contains(&told)), "{refused:?}");
    assert!(streamed.len() <= MAX_COMPLETION_BYTES && script.seen.lock().len() == 1);
    assert_eq!(ask(&router, &of("p"), LONG).await.0.unwrap().text, "Hello", "the provider is as good as before");
}

#[tokio::test]
async fn a_hanging_provider_times_out_and_the_fallback_answers() {
    let (slow, _) = serve(&[Act::Hang]).await;
    let (good, _) = serve(&[]).await;
    let (router, ..) = router(json!({ "providers": {
        "slow": { "url": slow, "model": "m" }, "good": { "url": good, "model": "n" },
    }}));
    let mut intelligence = of("slow");
    intelligence.fallback = Some(Fallback { provider: "good".into(), model: None });
    let began = Instant::now();
    let (result, _) = ask(&router, &intelligence, Duration::from_millis(300)).await;
    assert_eq!(result.unwrap().by, "good/n");
    assert!(began.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn when_nobody_answers_the_error_says_what_each_one_said() {
    let (url, _) = serve(&[Act::Status(500); 9]).await;
    let (router, ..) = router(json!({ "providers": {
        "a": { "url": url, "model": "m" }, "b": { "url": url, "model": "m", "enabled": false },
    }}));
    let mut intelligence = of("a");
    intelligence.fallback = Some(Fallback { provider: "b".into(), model: None });
    let (result, _) = ask(&router, &intelligence, LONG).await;
    let LlmError::Exhausted { tried, .. } = result.unwrap_err() else { panic!("both failed") };
    assert!(tried[0].contains("500") && tried[1].contains("disabled"), "{tried:?}");
}

#[tokio::test]
async fn a_cut_answer_is_neither_repeated_nor_taken_elsewhere() {
    let (url, script) = serve(&[Act::Cut]).await;
    let (router, ..) = router(json!({ "providers": { "a": { "url": url, "model": "m" } } }));
    let mut intelligence = of("a");
    intelligence.fallback = Some(Fallback { provider: "builtin".into(), model: None });
    let streamed = Mutex::new(String::new());
    let sink = |piece: &str| {
        streamed.lock().push_str(piece);
        script.cut.notify_one();
    };
    let result = router.resolve(&intelligence).unwrap().complete(&request(LONG), &sink).await;
    assert!(matches!(result, Err(LlmError::Unavailable { .. })), "{result:?}");
    assert_eq!(*streamed.lock(), "Hel");
    assert_eq!(script.seen.lock().len(), 1);
}

#[tokio::test]
async fn a_circuit_opens_and_closes_again() {
    let (url, script) = serve(&[Act::Status(500); 5]).await;
    let (router, _, fakes) = router(json!({ "providers": { "a": { "url": url, "model": "m" } } }));
    for _ in 0..3 {
        assert!(ask(&router, &of("a"), LONG).await.0.is_err());
    }
    assert_eq!(script.seen.lock().len(), 5, "the sixth call did not go out");
    assert_eq!(router.providers()[1].health, ProviderHealth::Unhealthy);
    fakes.now.fetch_add(31_000, Ordering::Relaxed);
    assert_eq!(ask(&router, &of("a"), LONG).await.0.unwrap().text, "Hello");
    assert_eq!(router.providers()[1].health, ProviderHealth::Healthy);
}

#[tokio::test]
async fn the_reason_outlives_the_circuit_that_it_opens() {
    let (url, script) = serve(&[Act::Status(502); 6]).await;
    let (router, _, fakes) = router(json!({ "providers": { "a": { "url": url, "model": "m" } } }));
    assert!(ask(&router, &of("a"), LONG).await.0.is_err());
    // The fifth failure opens the circuit in the middle of this call.
    let opening = ask(&router, &of("a"), LONG).await.0.unwrap_err();
    assert!(matches!(&opening, LlmError::Unavailable { detail, .. } if detail.contains("502")), "{opening}");
    let resting = ask(&router, &of("a"), LONG).await.0.unwrap_err();
    assert_eq!(script.seen.lock().len(), 5);
    assert_eq!(resting.retry_after(), Some(Duration::from_secs(30)));
    let told = resting.to_string();
    assert!(told.contains("left alone for 30 s") && told.contains("502"), "{told}");
    fakes.now.fetch_add(20_000, Ordering::Relaxed);
    let later = ask(&router, &Intelligence::default(), LONG).await.0.unwrap_err();
    assert_eq!(later.retry_after(), Some(Duration::from_secs(10)), "{later}");
}

#[tokio::test]
async fn what_an_answer_says_does_not_speak_against_who_gave_it() {
    let (url, script) =
        serve(&[Act::Empty, Act::Status(400), Act::Empty, Act::Empty, Act::Empty, Act::Empty, Act::Empty]).await;
    let (router, ..) = router(json!({ "providers": { "a": { "url": url, "model": "m" } } }));
    for which in 0..7 {
        let error = ask(&router, &of("a"), LONG).await.0.unwrap_err();
        let fits = if which == 1 {
            matches!(error, LlmError::Rejected { .. })
        } else {
            matches!(error, LlmError::Unusable { .. })
        };
        assert!(fits, "{error}");
    }
    assert_eq!(script.seen.lock().len(), 7, "nor is it asked again within a call");
    assert_eq!(ask(&router, &of("a"), LONG).await.0.unwrap().text, "Hello");
    assert_eq!(router.providers()[1].health, ProviderHealth::Healthy);
}

#[tokio::test]
async fn whoever_asks_to_come_back_later_is_left_alone_until_then() {
    let (url, script) = serve(&[Act::ComeBack]).await;
    let (router, _, fakes) = router(json!({ "providers": { "a": { "url": url, "model": "m" } } }));
    for left in [60, 60, 45] {
        let error = ask(&router, &of("a"), LONG).await.0.unwrap_err();
        assert_eq!(error.retry_after(), Some(Duration::from_secs(left)), "{error}");
        if left == 60 && script.seen.lock().len() == 1 && matches!(error, LlmError::Resting { .. }) {
            fakes.now.fetch_add(15_000, Ordering::Relaxed);
        }
    }
    assert_eq!(script.seen.lock().len(), 1, "nobody else asks meanwhile");
    let mut with_fallback = of("a");
    with_fallback.fallback = Some(Fallback { provider: "a".into(), model: None });
    let error = ask(&router, &with_fallback, LONG).await.0.unwrap_err();
    assert!(
        matches!(error, LlmError::Exhausted { retry_after: Some(wait), .. } if wait == Duration::from_secs(45)),
        "{error}"
    );
    fakes.now.fetch_add(45_000, Ordering::Relaxed);
    assert_eq!(ask(&router, &of("a"), LONG).await.0.unwrap().text, "Hello");
}

#[tokio::test]
async fn a_rotated_key_is_used_from_the_next_call_on() {
    let (url, script) = serve(&[]).await;
    let (router, shared, fakes) = router(
        json!({ "default_provider": "a", "providers": { "a": { "url": url, "model": "m", "api_key_secret": "k" } } }),
    );
    let any = Intelligence::default();
    ask(&router, &any, LONG).await.0.unwrap();
    *fakes.key.lock() = "sk-two".into();
    ask(&router, &any, LONG).await.0.unwrap();
    shared.state().providers["a"].rotated(&SecretName::new("k").unwrap());
    ask(&router, &any, LONG).await.0.unwrap();
    let seen = script.seen.lock();
    let keys: Vec<_> = seen.iter().map(|seen| seen.headers["authorization"].to_str().unwrap()).collect();
    assert_eq!(keys, ["Bearer sk-one", "Bearer sk-one", "Bearer sk-two"]);
    assert!(seen.iter().all(|other| other.peer == seen[0].peer), "the connection is kept");
}

#[tokio::test]
async fn a_reload_changes_providers_and_a_bad_one_changes_nothing() {
    let (url, _) = serve(&[]).await;
    let (router, shared, fakes) = router(json!({ "providers": { "a": { "url": url, "model": "m" } } }));
    probe(&shared.state().providers["a"]).await.unwrap();
    *fakes.section.lock() = json!({ "providers": { "b": { "url": url, "model": "m" } } });
    router.reload().await.unwrap();
    assert!(matches!(router.resolve(&of("a")), Err(LlmError::UnknownProvider { .. })));
    assert!(router.resolve(&of("b")).is_ok());
    *fakes.section.lock() = json!({ "providers": { "b": { "url": "ftp://x", "model": "m" } } });
    let error = router.reload().await.unwrap_err().to_string();
    assert!(error.contains("llm_router.providers.b") && error.contains("ftp://x"), "{error}");
    assert!(router.resolve(&of("b")).is_ok());
}

#[tokio::test]
async fn without_providers_the_embedded_model_answers() {
    let (router, ..) = router(json!({}));
    let (result, streamed) = ask(&router, &Intelligence::default(), LONG).await;
    let completion = result.unwrap();
    assert_eq!(completion.by, "builtin/extractive");
    assert!(completion.text.contains("The sky is blue. [a.md:3]"), "{}", completion.text);
    assert_eq!(completion.text, streamed);
    assert_eq!((completion.usage.cost_micros, completion.usage.tokens()), (0, 0), "it spends nothing of a budget");
}
