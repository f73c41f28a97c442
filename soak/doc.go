// Package soak lets several Delegators work for minutes while one thing after another goes wrong,
// and compares every success with a model of who may get what.
//
// It has tests only, after the build tag soak; CONTRIBUTING.md says how to run them. It stands
// apart from the packages that it uses, because it uses nearly all of them at once.
package soak
