// Command versions answers how kapp-controller v0.53.1 reads versions and constraints.
//
// It calls the functions that kapp-controller calls, in the module versions its go.mod names: the package `versions` of
// carvel.dev/vendir v0.40.0, and below it github.com/carvel-dev/semver/v4 at 8090ce423695. Only singlePrerelease
// restates code of kapp-controller itself (pkg/packageinstall/packageinstall.go, referencedPkgVersion), because that
// package would bring Kubernetes' libraries along. The compatibility checks against Kubernetes' and kapp-controller's
// own versions are left out.
//
// The one argument chooses the question; requests and answers are one line of JSON each, in the same order:
//
//	select   {"versions":[…],"constraints":"…","prereleases":null|{"identifiers":[…]}}
//	         {"selected":"…"} or {"error":"…"} or {"panic":"…"}
//	match    {"versions":[…],"constraints":"…"}
//	         {"matches":[true|false|null, …]} or {"error":"…"}; null where evaluating panics
//	compare  {"left":"…","right":"…"}
//	         {"left":"…","right":"…","order":-1|0|1} or {"error":"…"}, with the versions as Go writes them
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"

	"carvel.dev/vendir/pkg/vendir/versions"
	"carvel.dev/vendir/pkg/vendir/versions/v1alpha1"
	"github.com/carvel-dev/semver/v4"
)

type request struct {
	Versions    []string                                    `json:"versions"`
	Constraints string                                      `json:"constraints"`
	Prereleases *v1alpha1.VersionSelectionSemverPrereleases `json:"prereleases"`
	Left        string                                      `json:"left"`
	Right       string                                      `json:"right"`
}

type answer struct {
	Selected string  `json:"selected,omitempty"`
	Error    string  `json:"error,omitempty"`
	Panic    string  `json:"panic,omitempty"`
	Matches  []*bool `json:"matches,omitempty"`
	Left     string  `json:"left,omitempty"`
	Right    string  `json:"right,omitempty"`
	Order    *int    `json:"order,omitempty"`
}

func main() {
	questions := map[string]func(request) answer{"select": selectVersion, "match": match, "compare": compare}
	if len(os.Args) != 2 || questions[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: versions select|match|compare <requests >answers")
		os.Exit(2)
	}
	if err := answerAll(questions[os.Args[1]]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func answerAll(question func(request) answer) error {
	requests := json.NewDecoder(bufio.NewReader(os.Stdin))
	output := bufio.NewWriter(os.Stdout)
	answers := json.NewEncoder(output)
	for requests.More() {
		var asked request
		if err := requests.Decode(&asked); err != nil {
			return err
		}
		if err := answers.Encode(question(asked)); err != nil {
			return err
		}
	}
	return output.Flush()
}

func selectVersion(asked request) (answered answer) {
	defer func() {
		if reason := recover(); reason != nil {
			answered = answer{Panic: fmt.Sprint(reason)}
		}
	}()
	selection := v1alpha1.VersionSelectionSemver{Constraints: asked.Constraints, Prereleases: asked.Prereleases}
	if singlePrerelease(selection) {
		selection.Prereleases = &v1alpha1.VersionSelectionSemverPrereleases{}
	}
	selected, err := versions.HighestConstrainedVersionWithAdditionalConstraints(
		asked.Versions, v1alpha1.VersionSelection{Semver: &selection}, nil)
	if err != nil {
		return answer{Error: err.Error()}
	}
	return answer{Selected: selected}
}

func singlePrerelease(selection v1alpha1.VersionSelectionSemver) bool {
	if selection.Constraints == "" || selection.Prereleases != nil {
		return false
	}
	single, err := versions.NewSemver(selection.Constraints)
	return err == nil && len(single.Pre) > 0
}

func match(asked request) answer {
	constraints, err := semver.ParseRange(asked.Constraints)
	if err != nil {
		return answer{Error: err.Error()}
	}
	matches := []*bool{}
	for _, text := range asked.Versions {
		version, err := semver.Parse(text)
		if err != nil {
			return answer{Error: err.Error()}
		}
		matches = append(matches, evaluate(constraints, version))
	}
	return answer{Matches: matches}
}

func evaluate(constraints semver.Range, version semver.Version) (matches *bool) {
	defer func() {
		if recover() != nil {
			matches = nil
		}
	}()
	result := constraints(version)
	return &result
}

func compare(asked request) answer {
	left, err := versions.NewSemver(asked.Left)
	if err != nil {
		return answer{Error: err.Error()}
	}
	right, err := versions.NewSemver(asked.Right)
	if err != nil {
		return answer{Error: err.Error()}
	}
	order := left.Version.Compare(right.Version)
	return answer{Left: left.Version.String(), Right: right.Version.String(), Order: &order}
}
