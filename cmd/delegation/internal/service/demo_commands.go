package service

import (
	"fmt"
	"net"
	"strings"
)

// demoCommand is a command that a newcomer can paste into a terminal, and what it shows. The
// terminal and the page show the same commands.
type demoCommand struct {
	About   string `json:"about"`
	Command string `json:"command"`
}

// demoPlaces are the addresses of the demonstration, as URLs.
type demoPlaces struct {
	service string
	issuer  string
	aws     string
}

// demoURL returns the URL of the service for this machine's browser and terminal. If it listens on
// all interfaces, the URL uses loopback.
func demoURL(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err == nil && net.ParseIP(host).IsUnspecified() {
		address = net.JoinHostPort("127.0.0.1", port)
	}
	return "http://" + address
}

// commands returns the commands in order. The first sets a variable for the others.
func (p demoPlaces) commands() []demoCommand {
	fill := strings.NewReplacer("{service}", p.service, "{aws}", p.aws)
	var commands []demoCommand
	for _, c := range demoCommands {
		commands = append(commands, demoCommand{c.About, fill.Replace(c.Command)})
	}
	return commands
}

// script returns all the commands, to paste as they are. echo prints what each shows. There are no
// comments, because an interactive zsh, which is the default shell of macOS, takes # for the name
// of a command (zshoptions(1), INTERACTIVE_COMMENTS).
func (p demoPlaces) script() string {
	var b strings.Builder
	for _, c := range p.commands() {
		fmt.Fprintf(&b, "echo '%s'\n%s\n\n", c.About, c.Command)
	}
	return b.String()
}

// text returns what the terminal shows.
func (p demoPlaces) text() string {
	return fmt.Sprintf(demoText, p.service, p.issuer, p.aws, p.script())
}

const demoText = `Serving on %[1]s, a demo. Nothing leaves this machine.
The OpenID provider (%[2]s) and AWS STS (%[3]s) are in memory.

Open the page in a browser:  %[1]s/

Or paste the lines below into another terminal, one by one or all of them.
The log has a line for each exchange. Press Ctrl-C here to stop.

%[4]secho 'To serve for real: delegation init writes a configuration for serve --config FILE.'
`

// demoCommands have {service} and {aws} as placeholders for the addresses. No explanation has an
// apostrophe, because echo gets it in quotes. Each URL is in quotes, too: in zsh, the brackets of
// http://[::1]:8080 and the ? of a query are patterns of file names.
var demoCommands = []demoCommand{
	{
		"Get an ID token of alice, who is a photo editor:",
		`TOKEN=$(curl -fsS '{service}/token?user=alice')`,
	},
	{
		"Exchange it for AWS credentials, as clients of Auth0 do. This sends a form:",
		`curl -sS '{service}/delegation' ` + demoForm + `-d api_type=aws ` +
			`--data-urlencode "id_token=$TOKEN"`,
	},
	{
		"The same with JSON. The credentials are the same, and the log says cache=hit:",
		`curl -sS '{service}/delegation' -H 'Content-Type: application/json' -d '{` +
			`"grant_type":"urn:ietf:params:oauth:grant-type:jwt-bearer",` +
			`"client_id":"` + DemoTarget + `","id_token":"'$TOKEN'"}'`,
	},
	{
		"Fetch credentials as the AWS SDKs and the AWS CLI do:",
		`curl -sS '{service}/credentials?target=` + DemoTarget + `' -H "Authorization: $TOKEN"`,
	},
	{
		"Let the AWS CLI fetch them and use them:",
		`AWS_CONTAINER_CREDENTIALS_FULL_URI='{service}/credentials?target=` + DemoTarget + `' ` +
			`AWS_CONTAINER_AUTHORIZATION_TOKEN=$TOKEN aws sts get-caller-identity ` +
			`--region ` + DemoRegion + ` --endpoint-url '{aws}'`,
	},
	{
		"Get a sign-in link for the AWS console. In the demo it opens a stub:",
		`curl -sS '{service}/console' ` + demoForm + `--data-urlencode "id_token=$TOKEN"`,
	},
	{
		"Bob is not a photo editor. The exchange is refused:",
		`curl -sS '{service}/delegation' ` + demoForm +
			`--data-urlencode "id_token=$(curl -fsS '{service}/token?user=bob')"`,
	},
	{
		"Print the SAML metadata that IAM needs:",
		`curl -sS '{service}/metadata'`,
	},
	{
		"Ask whether the service is ready:",
		`curl -sS '{service}/ready'`,
	},
}

const demoForm = `-d grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer ` +
	`-d client_id=` + DemoTarget + ` `
