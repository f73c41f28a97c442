// Command hello does nothing. The start of delegation is compared with its start.
package main

import "fmt"

func main() { fmt.Println("hello") }
