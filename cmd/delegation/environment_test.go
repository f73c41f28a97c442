package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation/cmd/delegation/internal/service"
)

// TestExchange_Environment: a profile of AWS that is broken is nothing to the command, and a proxy
// that does not answer is named as the cause. Nothing leaves the machine.
func TestExchange_Environment(t *testing.T) {
	w := newWorld(t)
	file := w.configFile(t, "")
	token := w.write(t, "token", w.token(nil))
	broken := w.write(t, "aws-config", "[profile \x00\n= =\n")
	exchange := func(environment ...string) (string, error) {
		command := exec.Command(binary(t), "exchange", "--config", file,
			"--target", service.DemoTarget, "--token-file", token)
		command.Env = append(os.Environ(), environment...)
		var said bytes.Buffer
		command.Stderr = &said
		err := command.Run()
		return said.String(), err
	}
	said, err := exchange("AWS_PROFILE=gone", "AWS_CONFIG_FILE="+broken, "AWS_RETRY_MODE=never")
	if err != nil || said != "" {
		t.Errorf("a broken profile: %v: %s", err, said)
	}
	said, err = exchange("AWS_CA_BUNDLE=" + filepath.Join(w.folder, "none"))
	if err == nil || !strings.Contains(said, "the environment variable AWS_CA_BUNDLE: open ") {
		t.Errorf("no bundle: %v: %s", err, said)
	}
	text := string(must(os.ReadFile(file)))
	w.write(t, "delegation.yaml", strings.Replace(text, w.awsURL, "https://sts.invalid", 1))
	said, err = exchange("HTTPS_PROXY=http://user:canary@127.0.0.1:1", "NO_PROXY=")
	const want = "sts.invalid instead of sts.eu-central-1.amazonaws.com: through the proxy " +
		`"127.0.0.1:1" of HTTPS_PROXY or HTTP_PROXY: proxyconnect tcp: dial tcp 127.0.0.1:1`
	if err == nil || !strings.Contains(said, want) || strings.Contains(said, "canary") {
		t.Errorf("a dead proxy: %v: %s", err, said)
	}
}
