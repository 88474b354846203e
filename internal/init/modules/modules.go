// Package modules loads kernel modules: those that are named, those that serve the
// machine's devices, and those that the kernel asks for.
package modules
