package delegationhttp_test

import (
	"errors"
	"fmt"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/delegationhttp"
)

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
