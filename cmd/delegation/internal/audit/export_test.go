package audit

import "os"

// SetAppend has a file written by a function.
func SetAppend(f *File, appendText func(*os.File, []byte) (int, error)) { f.append = appendText }

// Gone is closed when the server has closed the connection that is used now.
func Gone(s *Syslog) <-chan struct{} { return s.gone }
