// Command packages answers what kapp-controller v0.53.1 refuses about Packages and PackageMetadatas.
//
// It calls the functions that kapp-controller's API server calls before it stores one. Requests and answers are one line
// of JSON each, in the same order: a manifest, and {"fields":["spec.version", …]}, the fields that are refused.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"

	"carvel.dev/kapp-controller/pkg/apiserver/apis/datapackaging"
	"carvel.dev/kapp-controller/pkg/apiserver/apis/datapackaging/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// The names in the internal types' JSON are those of Go: only what is validated is copied from the manifest.
type manifest struct {
	Kind     string `json:"kind"`
	Metadata struct {
		Name string `json:"name"`
	} `json:"metadata"`
	Spec struct {
		RefName                    string `json:"refName"`
		Version                    string `json:"version"`
		KubernetesVersionSelection *struct {
			Constraints string `json:"constraints"`
		} `json:"kubernetesVersionSelection"`
		KappControllerVersionSelection *struct {
			Constraints string `json:"constraints"`
		} `json:"kappControllerVersionSelection"`
	} `json:"spec"`
}

type answer struct {
	Fields []string `json:"fields"`
}

func main() {
	if err := answerAll(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func answerAll() error {
	requests := json.NewDecoder(bufio.NewReader(os.Stdin))
	output := bufio.NewWriter(os.Stdout)
	answers := json.NewEncoder(output)
	for requests.More() {
		var asked manifest
		if err := requests.Decode(&asked); err != nil {
			return err
		}
		if err := answers.Encode(validate(asked)); err != nil {
			return err
		}
	}
	return output.Flush()
}

func validate(asked manifest) answer {
	answered := answer{Fields: []string{}}
	var refused field.ErrorList
	if asked.Kind == "PackageMetadata" {
		metadata := datapackaging.PackageMetadata{}
		metadata.Name = asked.Metadata.Name
		refused = validation.ValidatePackageMetadata(metadata)
	} else {
		refused = validation.ValidatePackage(packageOf(asked))
	}
	for _, each := range refused {
		answered.Fields = append(answered.Fields, each.Field)
	}
	return answered
}

func packageOf(asked manifest) datapackaging.Package {
	result := datapackaging.Package{}
	result.Name = asked.Metadata.Name
	result.Spec.RefName = asked.Spec.RefName
	result.Spec.Version = asked.Spec.Version
	if selection := asked.Spec.KubernetesVersionSelection; selection != nil {
		result.Spec.KubernetesVersionSelection = &datapackaging.VersionSelection{Constraints: selection.Constraints}
	}
	if selection := asked.Spec.KappControllerVersionSelection; selection != nil {
		result.Spec.KappControllerVersionSelection = &datapackaging.VersionSelection{Constraints: selection.Constraints}
	}
	return result
}
