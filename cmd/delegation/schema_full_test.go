//go:build matrix

package main

import "testing"

// TestSchema_Full is TestSchema_AgreesWithTheProgram with all mutations.
func TestSchema_Full(t *testing.T) { compareSchema(t, 1) }
