package main

import _ "embed"

// configurationSchema is the JSON Schema of the configuration. A test writes it from the settings'
// types and from testdata/configuration.yaml.
//
//go:embed delegation.schema.json
var configurationSchema []byte
