package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/rules-initramfs/rules_initramfs/internal/init/console"
	"github.com/rules-initramfs/rules_initramfs/internal/init/modules"
	"github.com/rules-initramfs/rules_initramfs/internal/init/mounts"
	"github.com/rules-initramfs/rules_initramfs/internal/init/power"
	"github.com/rules-initramfs/rules_initramfs/internal/init/reaper"
	"github.com/rules-initramfs/rules_initramfs/internal/init/rootfind"
	"github.com/rules-initramfs/rules_initramfs/internal/init/settings"
	"github.com/rules-initramfs/rules_initramfs/internal/init/switchroot"
)

const (
	// grace is how long other processes have to end when the machine's run does.
	grace = time.Second

	// newRoot is where the root file system is mounted: where the kernel itself
	// mounts it (init/do_mounts.c).
	newRoot = "/root"

	// path is what programs find others by when the command line sets no PATH:
	// the kernel gives init none.
	path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
)

// A guest is the machine that this process is the first of.
type guest struct {
	reaper   *reaper.Reaper
	settings settings.Settings
	env      []string
}

// boot does what the image and the command line say. It does not return, and
// args, what the kernel has not understood, go to the init of the root file
// system.
func boot(args []string) {
	g := guest{reaper: reaper.New(), settings: settings.Default()}
	errs := mounts.Basic()
	if console.Missing() {
		errs = append(errs, console.Open(console.Device))
	}
	for _, err := range errs {
		complain(err)
	}
	words, err := g.configure()
	if err != nil {
		complain(err)
		g.end(g.settings.OnFailure)
	}
	for _, module := range g.settings.Modules {
		complain(modules.Load(module))
	}
	if len(g.settings.Command) > 0 {
		g.runCommand()
	}
	complain(g.findRoot(words, args))
	g.end(g.settings.OnFailure)
}

// complain says what is wrong, if something is.
func complain(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "init:", err)
	}
}

// configure reads the settings and the command line.
func (g *guest) configure() ([]settings.Word, error) {
	g.env = os.Environ()
	if os.Getenv("PATH") == "" {
		g.env = append(g.env, path)
	}
	var err error
	if g.settings, err = settings.Read(settings.File); err != nil {
		return nil, err
	}
	line, err := os.ReadFile("/proc/cmdline")
	if err != nil {
		return nil, fmt.Errorf("cannot read the kernel's command line: %v", err)
	}
	words := settings.Words(string(line))
	if err := g.settings.Override(words); err != nil {
		return nil, err
	}
	g.env = g.settings.Environ(g.env)
	return words, nil
}

// runCommand runs the command and does what comes behind. It does not return.
func (g *guest) runCommand() {
	command := g.settings.Command
	ending, err := g.reaper.Run(reaper.Program{Argv: command, Env: g.env, Foreground: console.Acquire()})
	if err != nil {
		complain(err)
		g.end(g.settings.OnFailure)
	}
	fmt.Fprintf(os.Stderr, "init: %s %s\n", command[0], ending)
	g.end(g.settings.OnExit)
}

// findRoot hands the machine over to the root file system's init, and returns
// only when that is not possible.
func (g *guest) findRoot(words []settings.Word, args []string) error {
	request, err := rootfind.Parse(words)
	if err != nil {
		return err
	}
	if request.Root == "" {
		return fmt.Errorf("there is nothing to run: set command in %s, or init.command= or root= on the kernel's command line", settings.File)
	}
	system := rootfind.System{Sys: "/sys", Dev: "/dev"}
	var device rootfind.Device
	if nodev, _ := rootfind.FileSystems(); !request.NeedsNoDevice(nodev) {
		if device, err = system.Find(request, os.Stderr); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(newRoot, 0o700); err != nil {
		return err
	}
	if err := system.Mount(request, device, newRoot); err != nil {
		return err
	}
	return g.enterRoot(request.Init, args)
}

// enterRoot switches to the root file system that is mounted, and to its init.
func (g *guest) enterRoot(init string, args []string) error {
	candidates := rootfind.Inits
	if init != "" {
		candidates = []string{init}
	}
	request := switchroot.Request{NewRoot: newRoot, Args: args[1:], Env: g.env, Console: console.Device}
	var errs []error
	for _, request.Init = range candidates {
		err := request.Check()
		if err == nil {
			complain(mounts.DetachTemporary())
			return switchroot.Switch(request, os.Stderr)
		}
		errs = append(errs, err)
	}
	if init == "" {
		errs = append(errs, errors.New("name the root's init with init="))
	}
	return errors.Join(errs...)
}

// end ends the machine's run. It does not return.
func (g *guest) end(action settings.Action) {
	if action == settings.Shell {
		shell := g.settings.Shell
		ending, err := g.reaper.Run(reaper.Program{Argv: shell, Env: g.env, Foreground: console.Acquire()})
		complain(err)
		if err == nil {
			fmt.Fprintf(os.Stderr, "init: %s %s\n", shell[0], ending)
		}
	}
	g.reaper.EndOthers(grace)
	switch action {
	case settings.Reboot:
		power.Restart(os.Stderr)
	case settings.Halt:
		power.Halt(os.Stderr)
	default:
		power.Off(os.Stderr)
	}
}
