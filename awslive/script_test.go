package awslive

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// standIn is a program in place of go: it makes files where TestAWS_Keys does, and notes in a file
// which ARNs TestAWS_OpenQuestions would get. $STAND_IN_ENDS is its exit code then.
const standIn = `#!/bin/sh
case "$*" in
*TestAWS_Keys*)
  for key in rsa ecdsa; do printf '%1100s' '<x/>' > "$DELEGATION_AWS_KEYS/$key.xml"; done ;;
*)
  env | grep ^DELEGATION_AWS_ > "$STAND_IN_NOTES"
  echo answers > "$DELEGATION_AWS_ANSWERS"
  exit "${STAND_IN_ENDS:-0}" ;;
esac
`

// fakeAWS is a program in place of the AWS CLI. What exists is a file in $FAKE_MADE. $FAKE_LOST and
// $FAKE_REFUSED are words of calls: the answer to the first is lost after the call has worked, and
// IAM refuses the second with $FAKE_CODE.
const fakeAWS = `#!/bin/sh
case "$2" in
get-caller-identity)
  printf '123456789012\tarn:aws:iam::123456789012:user/operator\n'
  exit ;;
esac
kind=role
case "$2" in *saml-provider) kind=saml-provider ;; esac
name=${4##*/}
file="$FAKE_MADE/$kind.$name"
call="$2 ${name#delegation-awslive-????????}."
case "$2" in
create-*)
  if [ "$call" = "$FAKE_REFUSED" ]; then
    printf '\nAn error occurred (%s) when calling it: refused\n' "$FAKE_CODE" >&2
    exit 254
  fi
  : > "$file" ;;
delete-*)
  if ! [ -e "$file" ]; then
    printf '\nAn error occurred (NoSuchEntity) when calling it: it is not there\n' >&2
    exit 254
  fi
  if [ "$call" = "$FAKE_STUCK" ]; then
    printf '\nAn error occurred (DeleteConflict) when calling it: stuck\n' >&2
    exit 254
  fi
  rm "$file" ;;
esac
if [ "$call" = "$FAKE_LOST" ]; then
  echo 'Could not connect to the endpoint URL' >&2
  exit 255
fi
case "$2" in create-*) echo "arn:aws:iam::123456789012:$kind/$name" ;; esac
`

// TestScript: the script leaves nothing in the account, also if a call works and its answer is
// lost. Only a refusal by IAM is an answer. What cannot be removed is named, and is a failure.
func TestScript(t *testing.T) {
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skipf("the script runs in bash: %v", err)
	}
	programs := t.TempDir()
	for name, text := range map[string]string{"go": standIn, "aws": fakeAWS} {
		check(t, os.WriteFile(filepath.Join(programs, name), []byte(text), 0o700))
	}
	for name, row := range map[string]struct {
		lost, refused, with, stuck string
		code, left                 int
		says                       string
		answered                   bool
	}{
		"all is made": {says: "waiting for IAM", answered: true},
		"a lost provider": {
			lost: "create-saml-provider .", code: 255, says: "endpoint URL",
		},
		"a lost role": {
			lost: "create-role .", code: 255, says: "endpoint URL",
		},
		"a lost ECDSA provider": {
			lost: "create-saml-provider -ecdsa.", code: 1, says: "endpoint URL",
		},
		"a lost ECDSA role": {
			lost: "create-role -ecdsa.", code: 255, says: "endpoint URL",
		},
		"a lost role with saml:uid": {
			lost: "create-role -uid.", code: 1, says: "endpoint URL",
		},
		"a lost role with a SID": {
			lost: "create-role -sid.", code: 1, says: "endpoint URL",
		},
		"a refused ECDSA provider": {
			refused: "create-saml-provider -ecdsa.", with: "InvalidInput", says: "waiting for IAM",
			answered: true,
		},
		"a refused role": {
			refused: "create-role -sid.", with: "MalformedPolicyDocument", says: "waiting for IAM",
			answered: true,
		},
		"a role that is not valid": {
			refused: "create-role -uid.", with: "ValidationError", says: "waiting for IAM",
			answered: true,
		},
		"a throttled ECDSA provider": {
			refused: "create-saml-provider -ecdsa.", with: "Throttling", code: 1, says: "Throttling",
		},
		"an operator without permission": {
			refused: "create-role -uid.", with: "AccessDenied", code: 1, says: "AccessDenied",
		},
		"a session that ended": {
			refused: "create-role -sid.", with: "ExpiredToken", code: 1, says: "ExpiredToken",
		},
		"a role that stays": {
			stuck: "delete-role -uid.", code: 1, left: 1, says: "remove the role delegation-awslive-",
			answered: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			made, answers := t.TempDir(), filepath.Join(t.TempDir(), "answers")
			command := exec.CommandContext(t.Context(), "bash", "./run")
			command.Env = append(os.Environ(), "PATH="+programs+":"+os.Getenv("PATH"),
				"DELEGATION_AWS_ACCOUNT=123456789012", "DELEGATION_AWS_GO="+programs+"/go",
				"DELEGATION_AWS_WAIT=0", "DELEGATION_AWS_ANSWERS="+answers,
				"STAND_IN_NOTES="+filepath.Join(t.TempDir(), "notes"), "FAKE_MADE="+made,
				"FAKE_LOST="+row.lost, "FAKE_REFUSED="+row.refused, "FAKE_CODE="+row.with,
				"FAKE_STUCK="+row.stuck)
			out, _ := command.CombinedOutput()
			code := command.ProcessState.ExitCode()
			if code != row.code || !strings.Contains(string(out), row.says) {
				t.Errorf("exit code %d: %s", code, out)
			}
			left, err := os.ReadDir(made)
			check(t, err)
			if len(left) != row.left {
				t.Errorf("left in the account: %v", left)
			}
			text, _ := os.ReadFile(answers)
			if row.answered != (len(text) > 0) ||
				row.answered && !strings.Contains(string(text), row.with) {
				t.Errorf("the answers: %q", text)
			}
		})
	}
}
