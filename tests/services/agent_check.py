"""The answer the command line got, and the same agent followed over server-sent events: agent_check.py TASK REST TOKEN CA"""

import json
import ssl
import sys

import httpx

task_file, rest, token, ca = sys.argv[1:]
EXPECTED = "The mock says that octopuses have three hearts."

task = json.load(open(task_file))
assert task["state"] == "SUCCEEDED" and task["result"] == EXPECTED, task
model = [step for step in task["steps"] if step["kind"] == "model"]
assert len(model) == 1 and model[0]["usage"]["completion_tokens"] > 0, task
assert "litellm" in model[0]["by"], model

client = httpx.Client(
    base_url=rest, verify=ssl.create_default_context(cafile=ca), headers={"authorization": f"Bearer {token}"}, timeout=60
)
created = client.post("/api/v1/tasks", json={"agent": "services", "input": "And how many arms?"})
assert created.status_code == 202, created.text
tokens, kind, ended = [], "", None
with client.stream("GET", f"/api/v1/tasks/{created.json()['task_id']}/events") as stream:
    assert stream.headers["content-type"].startswith("text/event-stream"), stream.headers
    for line in stream.iter_lines():
        if line.startswith("event:"):
            kind = line[6:].strip()
        elif line.startswith("data:"):
            data = json.loads(line[5:])
            if kind == "token":
                tokens.append(data["text"])
            elif kind == "ended":
                ended = data
assert ended and ended["state"] == "SUCCEEDED" and ended["result"] == EXPECTED, ended
# The watcher may have come after the first pieces; what it saw is the end of the answer, and never something else.
assert EXPECTED.endswith("".join(tokens)), tokens
print(f"the agent answers; {len(tokens)} pieces were seen as they came")
