"""The official client against our chat completions: openai_check.py URL TOKEN CA"""

import ssl
import sys

import httpx
import openai

url, token, ca = sys.argv[1:]
EXPECTED = "The mock says that octopuses have three hearts."
http = httpx.Client(verify=ssl.create_default_context(cafile=ca))
client = openai.OpenAI(base_url=url, api_key=token, http_client=http, max_retries=0)

assert "services" in [model.id for model in client.models.list()], "the agent is not among the models"

turns = [{"role": "user", "content": "How many hearts has an octopus?"}]
whole = client.chat.completions.create(model="services", messages=turns)
assert whole.choices[0].message.content == EXPECTED, whole
assert whole.choices[0].finish_reason == "stop", whole
assert whole.usage.total_tokens == whole.usage.prompt_tokens + whole.usage.completion_tokens > 0, whole.usage

pieces, finish, chunks = [], None, 0
for chunk in client.chat.completions.create(model="services", messages=turns, stream=True):
    chunks += 1
    for choice in chunk.choices:
        pieces.append(choice.delta.content or "")
        finish = choice.finish_reason or finish
assert "".join(pieces) == EXPECTED and finish == "stop", (pieces, finish)
assert len([piece for piece in pieces if piece]) > 1, f"the answer came in one piece: {pieces}"

conversation = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Hello."},
    {"role": "assistant", "content": "Hello."},
    {"role": "user", "content": [{"type": "text", "text": "How many hearts?"}]},
]
assert client.chat.completions.create(model="services", messages=conversation).choices[0].message.content == EXPECTED

for expected, call in (
    (openai.NotFoundError, lambda: client.chat.completions.create(model="nobody", messages=turns)),
    (openai.BadRequestError, lambda: client.chat.completions.create(model="services", messages=[])),
    (
        openai.AuthenticationError,
        lambda: openai.OpenAI(base_url=url, api_key="wrong", http_client=http, max_retries=0).models.list(),
    ),
):
    try:
        call()
    except expected as error:
        assert error.body and error.body.get("message"), f"{expected.__name__} without a message: {error.body}"
    else:
        raise AssertionError(f"{expected.__name__} was expected")
print(f"the client is content; {chunks} chunks were streamed")
