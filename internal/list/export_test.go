package list

// Unescape is for the tests, which are outside the package.
var Unescape = unescape
