// Package docs holds the one document that the library reads, the table of error codes. It is no
// part of the library's API: it exists because Go embeds a file only from the file's own folder.
// Programs find the same in the fields of delegation.Error and in delegationhttp.StatusOf.
package docs

import _ "embed"

//go:embed errors.md
var errorTable string

// Errors returns the text of errors.md.
func Errors() string { return errorTable }
