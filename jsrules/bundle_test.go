package jsrules_test

import (
	"testing"

	"github.com/seed055b7978/delegation/jsrules"
)

func TestSmoke(t *testing.T) {
	for source, want := range map[string]any{
		"require('lodash').VERSION":                                                       "4.18.1",
		"_.VERSION":                                                                       "2.4.2",
		"_.contains(['a'], 'a')":                                                          true,
		"require('lodash/get')({a: {b: 1}}, 'a.b')":                                       1,
		"require('lodash.isequal')([1], [1])":                                             true,
		"require('lodash@2.4.1').VERSION":                                                 "2.4.2",
		"require('lodash@4.17.21/get')({a: {b: 1}}, 'a.b')":                               1,
		"require('moment').utc('2026-11-29').format('dddd')":                              "Sunday",
		"require('moment').utc('2026-11-29').locale('de').format('dddd')":                 "Sonntag",
		"require('moment-timezone').tz('2026-11-29T12:00:00Z', 'Europe/Berlin').format()": "2026-11-29T13:00:00+01:00",
		"typeof require('bluebird').promisify":                                            "function",
		"typeof async.waterfall":                                                          "function",
		"typeof require('async').waterfall":                                               "function",
		"Function('return this')() === globalThis":                                        true,
		"typeof global.Object":                                                            "function",
	} {
		got := run(t, body("user.got = "+source+";"+passes), jsrules.Options{})
		if !got.passed || !sameJSON(got.user.Properties["got"], want) {
			t.Errorf("%s: got %v, %v", source, got.err, got.user)
		}
	}
}
