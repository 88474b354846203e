// Program main does nothing: the test is about its runfiles.
package main

func main() {}
