package jsrules_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/jsrules"
)

// A rule calls a host that the operator lists. Here it is a server on loopback, which is listed
// with its port and may be called without TLS, as in a test.
func ExampleHTTP() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"role": "arn:aws:iam::123456789012:role/editor"}`)
	}))
	defer server.Close()

	rule, err := jsrules.Compile("role", `async function (user, context, callback) {
		const axios = require('axios');
		const { data } = await axios.get(configuration.ROLES, { params: { user: user.user_id } });
		context.addonConfiguration.aws.role = data.role;
		callback(null, user, context);
	}`, jsrules.Options{
		Configuration: map[string]string{"ROLES": server.URL},
		HTTP: &jsrules.HTTP{
			Allow:         []string{server.Listener.Addr().String()},
			PlainLoopback: true,
		},
	})
	if err != nil {
		panic(err)
	}
	user := &delegation.User{Properties: map[string]any{"user_id": "auth0|alice"}}
	rc := &delegation.RuleContext{ClientID: "CLIENT_ID", Protocol: "delegation"}
	fmt.Println(rule(context.Background(), user, rc), rc.AWS.Role)
	// Output: <nil> arn:aws:iam::123456789012:role/editor
}
