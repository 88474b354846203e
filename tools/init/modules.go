package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/rules-initramfs/rules_initramfs/internal/init/modules"
	"github.com/rules-initramfs/rules_initramfs/internal/init/rootfind"
	"github.com/rules-initramfs/rules_initramfs/internal/init/settings"
	"github.com/rules-initramfs/rules_initramfs/internal/printable"
)

// autoloadWait is how long init waits for the root's device if the command line has no
// rootwait and its driver is loaded for it: buses such as USB find disks long after their
// driver has begun.
const autoloadWait = 30 * time.Second

// modprobePath has the program that the kernel runs to load a module (kernel/module/kmod.c).
const modprobePath = "/proc/sys/kernel/modprobe"

// self is the path of this program in the image.
const self = "/init"

// An autoload loads modules for devices and for the kernel. A nil *autoload does nothing.
type autoload struct {
	loader   *modules.Loader
	devices  *modules.Devices
	modprobe []byte // what modprobePath had
}

// newLoader returns a loader of modules according to the settings, the image and the
// command line, whose parameters win in this order.
func newLoader(s settings.Settings, params []settings.Param) (*modules.Loader, error) {
	config := modules.NewConfig()
	for _, err := range config.ReadFiles("/") {
		logError(err)
	}
	for _, p := range s.ModuleParameters {
		config.AddParameters(p.Module, p.Parameters)
	}
	for _, name := range s.AutoloadBlocklist {
		config.Block(name)
	}
	config.Override(params)
	return modules.NewLoader(config, logError)
}

// loadModules loads the modules of the settings and, if these say so, those that serve
// devices. Modules for devices that appear later are loaded in the background.
func (m *machine) loadModules(params []settings.Param) error {
	if len(m.settings.Modules) == 0 && !m.settings.Autoload {
		return nil
	}
	loader, err := newLoader(m.settings, params)
	if err != nil {
		return err
	}
	err = loader.Load(m.settings.Modules)
	logLoaded("loaded", loader)
	if err != nil || !m.settings.Autoload {
		return err
	}
	m.autoload = &autoload{loader: loader}
	if err := m.autoload.start(); err != nil {
		m.autoload = nil
		return err
	}
	return nil
}

func logLoaded(what string, loader *modules.Loader) {
	if names := loader.Loaded(); len(names) > 0 {
		fmt.Fprintf(os.Stderr, "init: %s %s\n", what, printable.Text(strings.Join(names, " ")))
	}
}

func (a *autoload) start() error {
	err := a.loader.CheckDirectory()
	if err != nil {
		return fmt.Errorf("cannot autoload: %w", err)
	}
	if a.modprobe, err = os.ReadFile(modprobePath); err != nil {
		return fmt.Errorf("cannot autoload: the kernel was built without modules: %w", err)
	}
	if a.devices, err = modules.WatchDevices(a.loader, logError); err != nil {
		return fmt.Errorf("cannot autoload: %w", err)
	}
	if _, err := os.Stat(strings.TrimSpace(string(a.modprobe))); err != nil {
		logError(os.WriteFile(modprobePath, []byte(self), 0))
	}
	a.devices.Settle()
	logLoaded("loaded for devices:", a.loader)
	return nil
}

// fileSystems loads modules of file systems.
func (a *autoload) fileSystems(types ...string) {
	if a == nil {
		return
	}
	for _, name := range types {
		if name != "" && name != rootfind.Auto {
			logError(a.loader.Request("fs-" + name))
		}
	}
}

// stop ends it, before another program becomes the first process.
func (a *autoload) stop() {
	if a == nil {
		return
	}
	a.devices.Close()
	a.loader.Wait()
	logLoaded("also loaded:", a.loader)
	logError(os.WriteFile(modprobePath, a.modprobe, 0))
}

// modprobe loads a module for the kernel, which has started this process for it, and
// returns the exit status.
func modprobe(name string) int {
	m := machine{settings: settings.Default()}
	params, err := m.configure()
	if err == nil {
		var loader *modules.Loader
		if loader, err = newLoader(m.settings, params); err == nil {
			err = loader.Request(name)
		}
	}
	if err != nil {
		logError(err)
		return 1
	}
	return 0
}
