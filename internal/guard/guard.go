// Package guard calls code that may panic or hang: the operator's, and libraries that read what
// strangers wrote. A panic becomes an error that quotes it, cut short. Callers can stop waiting for
// a call that hangs, and the number of calls left running is bounded.
package guard

import "fmt"

// Panic is the error that Call returns for a panic. It quotes the value, cut short.
type Panic struct{ value any }

func (p Panic) Error() string { return fmt.Sprintf("it panicked: %.200q", fmt.Sprint(p.value)) }

// Call returns what the function returns, or a Panic if it panics.
func Call(call func() error) (err error) {
	defer func() {
		if value := recover(); value != nil {
			err = Panic{value}
		}
	}()
	return call()
}

// Value is Call for a function that returns a value, too.
func Value[T any](call func() (T, error)) (value T, err error) {
	err = Call(func() (err error) {
		value, err = call()
		return err
	})
	return value, err
}
