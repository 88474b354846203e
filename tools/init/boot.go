package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/rules-initramfs/rules_initramfs/internal/init/modules"
	"github.com/rules-initramfs/rules_initramfs/internal/init/reaper"
	"github.com/rules-initramfs/rules_initramfs/internal/init/rootfind"
	"github.com/rules-initramfs/rules_initramfs/internal/init/settings"
	"github.com/rules-initramfs/rules_initramfs/internal/init/switchroot"
	"github.com/rules-initramfs/rules_initramfs/internal/init/system"
	"github.com/rules-initramfs/rules_initramfs/internal/init/tpm"
	"github.com/rules-initramfs/rules_initramfs/internal/printable"
)

const (
	// grace is the time that other processes have to end before the machine stops.
	grace = time.Second

	// tpmWait is how long init waits for a TPM whose driver may have been loaded.
	tpmWait = 10 * time.Second

	// newRoot is the mount point of the root file system, the same as the kernel's
	// own (init/do_mounts.c).
	newRoot = "/root"

	// defaultPath is PATH unless the command line sets it: the kernel does not.
	defaultPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
)

// A machine is the machine whose first process this is.
type machine struct {
	reaper   *reaper.Reaper
	settings settings.Settings
	env      []string
	autoload *autoload // nil if modules are not loaded for devices
}

// boot does what the image and the command line say, and does not return. The args
// are those that the kernel did not understand; the init of the root file system
// gets them.
func boot(args []string) {
	m := machine{reaper: reaper.New(), settings: settings.Default()}
	errs := system.MountBasic()
	if system.ConsoleMissing() {
		errs = append(errs, system.OpenConsole(system.Console))
	}
	for _, err := range append(errs, system.StartLoopback()) {
		logError(err)
	}
	params, err := m.configure()
	if err != nil {
		logError(err)
		m.end(m.settings.OnFailure)
	}
	if err := m.loadModules(params); err != nil {
		logError(err)
		if errors.Is(err, modules.ErrUnknown) {
			m.end(m.settings.OnFailure)
		}
	}
	if err := m.printPCRs(); err != nil {
		logError(err)
		m.end(m.settings.OnFailure)
	}
	if len(m.settings.Command) > 0 {
		m.runCommand()
	}
	logError(m.findRoot(params, args))
	m.end(m.settings.OnFailure)
}

// logError prints err, each of several joined errors on a line, unless it is nil.
func logError(err error) {
	if err == nil {
		return
	}
	for _, line := range printable.ErrorLines(err) {
		fmt.Fprintln(os.Stderr, "init:", line)
	}
}

// configure reads the settings and the command line.
func (m *machine) configure() ([]settings.Param, error) {
	m.env = os.Environ()
	if os.Getenv("PATH") == "" {
		m.env = append(m.env, defaultPath)
	}
	var err error
	if m.settings, err = settings.Read(settings.File); err != nil {
		return nil, err
	}
	line, err := os.ReadFile("/proc/cmdline")
	if err != nil {
		return nil, fmt.Errorf("cannot read the kernel's command line: %v", err)
	}
	params := settings.Params(string(line))
	if err := m.settings.Override(params); err != nil {
		return nil, err
	}
	m.env = m.settings.Environ(m.env)
	return params, nil
}

// printPCRs prints the PCRs that the settings name.
func (m *machine) printPCRs() error {
	if len(m.settings.PrintPCRs) == 0 {
		return nil
	}
	wait := time.Duration(0)
	if m.settings.Autoload || len(m.settings.Modules) > 0 {
		wait = tpmWait // its driver may be one of the modules
	}
	values, err := tpm.ReadPCRs("/sys", m.settings.PrintPCRs, wait)
	if err != nil {
		return fmt.Errorf("cannot print PCRs: %w", err)
	}
	for i, n := range m.settings.PrintPCRs {
		fmt.Printf("pcr %d: %s\n", n, values[i])
	}
	return nil
}

// runCommand runs the command, and then the action for its end. It does not return.
func (m *machine) runCommand() {
	command := m.settings.Command
	exit, err := m.reaper.Run(reaper.Program{Argv: command, Env: m.env, Foreground: system.AcquireTerminal()})
	if err != nil {
		logError(err)
		m.end(m.settings.OnFailure)
	}
	fmt.Fprintf(os.Stderr, "init: %s %s\n", command[0], exit)
	m.end(m.settings.OnExit)
}

// findRoot finds the root file system and switches to it. It returns only if that
// fails.
func (m *machine) findRoot(params []settings.Param, args []string) error {
	request, err := rootfind.Parse(params)
	if err != nil {
		return err
	}
	if request.Root == "" {
		return fmt.Errorf("there is nothing to run: set command in %s, or init.command= or root= on the kernel's command line", settings.File)
	}
	m.autoload.fileSystems(request.Types...)
	if m.autoload != nil && request.Wait == 0 {
		request.Wait = autoloadWait
	}
	devices := rootfind.System{Sys: "/sys", Dev: "/dev"}
	var device rootfind.Device
	if nodev, _ := rootfind.FileSystems(); !request.NeedsNoDevice(nodev) {
		if device, err = devices.Find(request, os.Stderr); err != nil {
			return err
		}
	}
	m.autoload.fileSystems(device.FileSystem.Type)
	if err := os.MkdirAll(newRoot, 0o700); err != nil {
		return err
	}
	if err := devices.Mount(request, device, newRoot); err != nil {
		return err
	}
	return m.enterRoot(request.Init, args)
}

// enterRoot switches to the root file system, which is mounted, and to its init.
func (m *machine) enterRoot(init string, args []string) error {
	candidates := rootfind.Inits
	if init != "" {
		candidates = []string{init}
	}
	request := switchroot.Request{NewRoot: newRoot, Args: args[1:], Env: m.env, Console: system.Console}
	var errs []error
	for _, request.Init = range candidates {
		err := request.Check()
		if err == nil {
			m.autoload.stop()
			logError(system.DetachTmp())
			return switchroot.Switch(request, os.Stderr)
		}
		errs = append(errs, err)
	}
	if init == "" {
		errs = append(errs, errors.New("set init= to the path of the root's init"))
	}
	return errors.Join(errs...)
}

// end stops the machine. It does not return.
func (m *machine) end(action settings.Action) {
	if action == settings.Shell {
		shell := m.settings.Shell
		exit, err := m.reaper.Run(reaper.Program{Argv: shell, Env: m.env, Foreground: system.AcquireTerminal()})
		logError(err)
		if err == nil {
			fmt.Fprintf(os.Stderr, "init: %s %s\n", shell[0], exit)
		}
	}
	m.reaper.EndOthers(grace)
	switch action {
	case settings.Reboot:
		system.Restart(os.Stderr)
	case settings.Halt:
		system.Halt(os.Stderr)
	default:
		system.PowerOff(os.Stderr)
	}
}
