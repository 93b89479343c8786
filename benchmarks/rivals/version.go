package rivals

import "runtime/debug"

// Version returns the version of a module that this program is built with, "(devel)"
// for the source tree that it is part of, and "" for a module that it is not built
// with.
func Version(module string) string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, dep := range info.Deps {
		if dep.Path != module {
			continue
		}
		if dep.Replace != nil {
			return "(devel)"
		}
		return dep.Version
	}
	return ""
}
