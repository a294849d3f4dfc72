// Says which files of a directory source-controller v1.9.3 puts into an artifact, for tests/ignore_patterns.rs.
//
// Each line of standard input is a request {"files": {path: content}, "ignore": string or null}; each line of standard output
// is the list of the paths that stay.
package main

import (
	"bufio"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/fluxcd/pkg/sourceignore"
)

type request struct {
	Files  map[string]string `json:"files"`
	Ignore *string           `json:"ignore"`
}

func main() {
	input := bufio.NewScanner(os.Stdin)
	input.Buffer(nil, 1<<24)
	output := json.NewEncoder(os.Stdout)
	for input.Scan() {
		var asked request
		must(json.Unmarshal(input.Bytes(), &asked))
		must(output.Encode(answer(asked)))
	}
	must(input.Err())
}

func answer(asked request) []string {
	directory, err := os.MkdirTemp("", "sourceignore-")
	must(err)
	defer os.RemoveAll(directory)
	for path, content := range asked.Files {
		path = filepath.Join(directory, path)
		must(os.MkdirAll(filepath.Dir(path), 0o755))
		must(os.WriteFile(path, []byte(content), 0o644))
	}
	domain := strings.Split(directory, string(filepath.Separator))
	patterns, err := sourceignore.LoadIgnorePatterns(directory, domain)
	must(err)
	if asked.Ignore != nil {
		patterns = append(patterns, sourceignore.ReadPatterns(strings.NewReader(*asked.Ignore), domain)...)
	}
	// As fluxcd/pkg artifact v0.18.1, storage/archive.go: SourceIgnoreFilter and Archive.
	matcher := sourceignore.NewDefaultMatcher(patterns, domain)
	if len(patterns) > 0 {
		matcher = sourceignore.NewMatcher(append(sourceignore.VCSPatterns(domain), patterns...))
	}
	held := []string{}
	must(filepath.Walk(directory, func(path string, info fs.FileInfo, err error) error {
		must(err)
		if info.Mode().IsRegular() && !matcher.Match(strings.Split(path, string(filepath.Separator)), false) {
			relative, err := filepath.Rel(directory, path)
			must(err)
			held = append(held, filepath.ToSlash(relative))
		}
		return nil
	}))
	return held
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
