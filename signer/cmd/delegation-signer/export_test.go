package main

import "os"

// RunMain runs the program with the arguments of the process.
func RunMain() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }
