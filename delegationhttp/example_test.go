package delegationhttp_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/delegationhttp"
	"github.com/seed055b7978/delegation/delegationtest"
)

// A service that calls AWS as the user of each request, through one client.
func ExampleHandlers_Bearer() {
	world, err := delegationtest.Open()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer world.Close()
	world.Clock.Set(time.Now()) // the SDK signs by the real time
	d, err := world.Start(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	handlers, err := delegationhttp.New(delegationhttp.Config{Exchanger: d})
	if err != nil {
		fmt.Println(err)
		return
	}
	client := sts.NewFromConfig(aws.Config{
		Region:       "eu-central-1",
		Credentials:  d.FromContext("photo-app"),
		BaseEndpoint: aws.String(world.STSURL), // for AWS, leave this out
	})
	whoAmI := func(w http.ResponseWriter, r *http.Request) {
		out, err := client.GetCallerIdentity(r.Context(), &sts.GetCallerIdentityInput{})
		if handlers.Refuse(w, r, err) {
			return
		}
		if err != nil {
			http.Error(w, "AWS does not answer", http.StatusBadGateway)
			return
		}
		fmt.Fprint(w, aws.ToString(out.Arn))
	}
	service := handlers.Bearer("photo-app", http.HandlerFunc(whoAmI))

	alice := world.Token(map[string]any{"sub": "alice"})
	for _, authorization := range []string{"Bearer " + alice, "Bearer forged", ""} {
		r := httptest.NewRequest(http.MethodGet, "/who-am-i", nil)
		r.Header.Set("Authorization", authorization)
		w := httptest.NewRecorder()
		service.ServeHTTP(w, r)
		if w.Code == http.StatusOK {
			fmt.Println(w.Code, w.Body)
			continue
		}
		fmt.Println(w.Code, w.Header().Get("WWW-Authenticate"))
	}
	// Output:
	// 200 arn:aws:sts::123456789012:assumed-role/photo-user/alice
	// 401 Bearer error="invalid_token", error_description="the ID token was not accepted"
	// 401 Bearer
}

// A handler of your own answers with the status and the public text of an error. The rest of the
// error is for the operator.
func ExampleStatusOf() {
	err := fmt.Errorf("exchange: %w", &delegation.Error{
		Stage: delegation.StageSTS,
		Code:  delegation.CodeSTSThrottled,
		Err:   errors.New("rate exceeded"),
	})
	text := "the request could not be completed"
	var refusal *delegation.Error
	if errors.As(err, &refusal) {
		text = refusal.Public()
	}
	fmt.Println(delegationhttp.StatusOf(err), text)
	fmt.Println(delegationhttp.StatusOf(errors.New("disk full")))
	fmt.Println(delegationhttp.StatusOf(nil))
	// Output:
	// 503 temporarily unavailable, try again
	// 500
	// 200
}
