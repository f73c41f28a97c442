// Package soak lets several Delegators work for minutes while one thing after another goes wrong,
// and compares every success with a model of who may get what.
//
// It contains only tests, with the build tag soak; CONTRIBUTING.md says how to run them. It is a
// separate package because it uses nearly all other packages at once.
package soak
