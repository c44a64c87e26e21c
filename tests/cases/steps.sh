# The words that the scripts of expected.yaml are written in. Each script runs in an empty directory.
TOOLS=$CASES/_tools
servers=
trap 'for server in $servers; do kill "$server"; wait "$server"; done 2>/dev/null' EXIT

# -- what the folder brings to run its cases
mcp() { sh "$TOOLS/run_mcp.sh" "${1:-$CASE}"; }
policy() { sh "$TOOLS/run_policy.sh" "$CASE"; }
model() { sh "$TOOLS/run_model.sh" "${1:-$CASE}" "$PORT"; }
asked() { cat "$TMPDIR"/*/requests/"${1:-1}".json; }

# a script that knows the store's inside by the names that it had once
earlier() { PYTHONPATH=$PROJECT python "$PROJECT/tests/cases/earlier.py" "$@"; }

# -- bundles: a case's own, where it may be written to; a new one; this checkout's
copy() { cp -r "${1:-$CASE}" b && chmod -R u+w b && cd b || exit; }
starter() { engine init b >made 2>&1 && cd b || exit; }
support() { mkdir b && (cd "$PROJECT" && cp -r specs policies prompts fixtures "$OLDPWD/b"); }

# planner WHAT...: the one planner of the agent is this, and nothing else
planner() {
  sed -i '/^planners:/,/^[a-oq-z]/{/^planners:\|^ /d}' specs/agents/*.yaml
  echo "planners: {$(sed -n 's/^planner: //p' specs/agents/*.yaml): {$*}}" >>specs/agents/*.yaml
}

# calls TOOL INPUT: its planner is a script that calls this tool once
calls() { planner "kind: scripted, decisions: [{message: x, tool_calls: [{id: c, name: $1, input: $2}], done: false}, {message: bye, tool_calls: [], done: true}]"; }

# model_calls TOOL=ARGUMENTS...: its planner is a model that calls these tools one after the other, then ends
model_calls() {
  python - "$@" >answer.json <<'P'
import json, sys
named = [call.partition("=") for call in sys.argv[1:]]
calls = [[{"id": f"c{n}", "type": "function", "function": {"name": name, "arguments": given}}] for n, (name, _, given) in enumerate(named)]
messages = [{"role": "assistant", "content": None, "tool_calls": made} for made in calls]
print(json.dumps({"api": "oai", "answers": [{"message": made, "finish_reason": "tool_calls"} for made in messages]}))
P
  KEEP=$TMPDIR/model serve "$PORT" python "$TOOLS/serve_model.py" answer.json "$PORT"
  planner "kind: openai, model: m, base_url: 'http://127.0.0.1:$PORT/v1', answers: tools, stream: false"
}

# -- sessions
session() { engine sessions list --limit 1 --format json | python -c 'import json, sys; print(json.load(sys.stdin)[0]["id"])'; }
order() { engine run . -m "Please cancel my order" --set customer=ada --set order_id="${1:-o-1}"; }
# a refund of 480 USD that waits for a person, in a store of its own
held() { support && engine run b --agent support-triage -m "I was charged twice" --set tenant=acme --set account_id=acct_1002 >held 2>&1; }
# what a store holds in plain, the bundles apart
plain() { python "$CASES/attacks/dump.py" "${ENGINE_STORE#sqlite:///}"; }
a_key() { printf 'k%.0s' $(seq 40); }
# an exit code is said, and not taken over
tells() { "$@"; echo "exit code $?"; }

# serve PORT COMMAND...: a server beside the rest, once it takes connections; it is ended with the case
serve() {
  local port=$1
  shift
  "$@" &
  servers="$servers $!"
  for _ in $(seq 300); do
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && return
    sleep 0.1
  done
  echo "no server at port $port"
  exit 9
}

# -- the access desk, open around the clock, with its server of people and grants at PORT; a model's would be at PORT2
desk() {
  cp "$CASES/newcomer/handbook_mcp.py" .
  copy "${1:-$CASE}"
  sed -i "s/8471/$PORT/; s/8472/$PORT2/" specs/tools/*.yaml specs/agents/*.yaml
  sed -i 's/opens: .*/opens: 0h/; s/closes: .*/closes: 24h/; s/workdays: .*/workdays: [0, 1, 2, 3, 4, 5, 6]/' policies/access.yaml
  export IAM_KEY=iam-secret-key-123
  serve "$PORT" python -m uvicorn --app-dir "$CASES/newcomer" iam:app --port "$PORT" --log-level warning
}
desk_run() { engine run . -m "access please" --set user=ada --set tenant=acme "$@"; }
# grant LEVEL UNTIL: ada asks for access, and says yes
grant() { desk_run --set resource=db-billing-staging --set level="$1" --set until="$2" && return; engine confirm "$(session)" yes; }
day() { date -u -d "+$1 days" +%F; }
desk_log() { python -c 'import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1]).read().decode())' "http://127.0.0.1:$PORT/log"; }

# web MODE: a tool of the starter bundle asks the server of httpd.py
web() {
  starter
  sed "s|URL|http://127.0.0.1:$PORT/|" >specs/tools/g.yaml <<'Y'
kind: Tool
name: g
description: Gets.
effect: read
timeout: 5s
input: {type: object}
output: {type: object}
adapter: {kind: http, url: URL, allow_private: true}
Y
  sed -i 's/^tools: \[/&g, /' specs/agents/*.yaml
  calls g '{}'
  serve "$PORT" python "$CASE" "$1" "$PORT"
  order
}
