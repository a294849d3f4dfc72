//! Files as people write them: a name for each, and its text. What they ask for is of no importance.

pub(super) const FILES: &[(&str, &str)] = &[
    (
        "the guide",
        "---\napiVersion: packaging.carvel.dev/v1alpha1\nkind: PackageInstall\nmetadata:\n  name: hello-app\nspec:\n  serviceAccountName: default-ns-sa\n  packageRef:\n    refName: hello-app.mycompany.com\n    versionSelection:\n      constraints: 1.0.0\n  values:\n  - secretRef:\n      name: hello-app-values\n",
    ),
    (
        "comments everywhere",
        "# of the file\napiVersion: v1 # of the version\n# above the kind\nkind: PackageInstall\n\n# above metadata, after a blank line\nmetadata: # beside metadata\n  # above the name\n  name: hello # beside the name\n  # below the name\nspec:\n  values: # beside values\n  # above the first\n  - secretRef: # beside the reference\n      name: a # beside its name\n  # between two\n  - secretRef:\n      name: b\n  # below the last\n# at the end\n",
    ),
    (
        "indented sequences",
        "spec:\n  values:\n    - secretRef:\n        name: a\n    - secretRef:\n        name: b\n  last: 1\n",
    ),
    (
        "four spaces",
        "spec:\n    packageRef:\n        refName: x\n        versionSelection:\n            constraints: '>=1.0.0'\n    values:\n    -   secretRef:\n            name: a\n",
    ),
    (
        "flow style inside",
        "spec:\n  packageRef: {refName: hello.corp.com, versionSelection: {constraints: \">1.0.0\", prereleases: {}}}\n  values: [{secretRef: {name: a}}, {secretRef: {name: b}}]\n",
    ),
    (
        "flow style in lines",
        "spec: {\n  refName: hello, # the name\n  list: [\n    one, # the first\n    two,\n    three\n  ],\n  last: {a: 1},\n}\nnext: 1\n",
    ),
    ("flow style at the top", "{apiVersion: v1, kind: Secret, metadata: {name: x}, data: {}}\n"),
    (
        "JSON in one line",
        "{\"apiVersion\": \"v1\", \"kind\": \"Secret\", \"metadata\": {\"name\": \"x\"}, \"list\": [1, 2.5, true, null]}",
    ),
    (
        "JSON as kubectl prints it",
        "{\n    \"apiVersion\": \"v1\",\n    \"kind\": \"Secret\",\n    \"metadata\": {\n        \"name\": \"x\",\n        \"labels\": {}\n    },\n    \"list\": [\n        {\n            \"a\": \"b\"\n        }\n    ]\n}\n",
    ),
    (
        "JSON with tabs",
        "{\n\t\"kind\": \"Secret\",\n\t\"metadata\": {\n\t\t\"name\": \"x\"\n\t},\n\t\"list\": [\n\t\t\"a\",\n\t\t\"b\"\n\t]\n}\n",
    ),
    ("tabs after values", "a: 1\t\t# a tab before the comment\nb:\t2\nc: [1,\t2]\n"),
    (
        "Windows line ends",
        "# first\r\napiVersion: v1\r\nspec:\r\n  a: 1 # one\r\n  text: |\r\n    x\r\n    y\r\n  list:\r\n  - a\r\n  - b\r\n",
    ),
    ("Windows, two documents", "a: 1\r\n---\r\nb:\r\n  c: {d: 1}\r\n"),
    ("byte order mark", "\u{feff}a: 1\nb:\n  c: 2\n"),
    ("byte order mark and marker", "\u{feff}---\na: 1\nb: [x]\n"),
    ("two documents", "# the first\na: 1 # one\n---\n# the second\nb: 2\nc:\n- x\n"),
    ("empty documents between", "---\n---\na: 1\n---\n# nothing here\n---\nb: 2\n---\n"),
    ("documents that end", "a: 1\n...\n---\nb: 2\n...\n"),
    ("a directive", "%YAML 1.2\n---\na: 1\nb: {c: d}\n"),
    ("marker with comment", "--- # the document\na: 1\nb:\n- 2\n"),
    ("no line end at the end", "a: 1\nb:\n  c: 2"),
    ("no line end after a list", "a: 1\nb:\n- c\n- d"),
    ("no line end after a comment", "a: 1\nb: x # end"),
    (
        "literal block",
        "apiVersion: v1\nstringData:\n  values.yml: |\n    ---\n    replicas: 2 # not a comment\n\n    text: \"x\"\n  other: 1\n",
    ),
    ("literal block at the end", "stringData:\n  values.yml: |\n    a: 1\n    b: 2\n"),
    (
        "literal blocks with indicators",
        "a: |-\n  strip\nb: |+\n  keep\n\nc: |2\n    indented\n  less\nd: |2-\n   both\ne: 1\n",
    ),
    (
        "block with header comment",
        "a: | # about the text\n    four spaces\n    of them\n# below\nb: > # folded\n  one\n  two\n\n  three\nc: 3\n",
    ),
    ("blank lines after a block", "a: |\n  text\n\n\n# comment\nb: |\n  more\n\n\nc: 1\n"),
    ("keep at the end", "a: 1\nb: |+\n  text\n\n\n"),
    (
        "anchors",
        "base: &base\n  name: hello\n  size: 1\ncopy: *base\nname: &name prod1\nlabels:\n  cluster: *name\nlist: [*name, x]\n",
    ),
    ("merge keys", "base: &base\n  a: 1\n  b: 2\nderived:\n  <<: *base\n  b: 3\n  c: 4\n"),
    (
        "quotes",
        "single: 'it''s'\ndouble: \"a\\tb \\u00e9\"\nplain: it's\n\"quoted key\": 1\n'single key': 2\nempty: ''\nalso: \"\"\n",
    ),
    ("quoted keys", "\"apiVersion\": \"v1\"\n\"metadata\":\n  \"name\": \"x\"\n  'labels':\n    \"a/b\": 'c'\n"),
    (
        "several lines in quotes",
        "plain: one\n  two\n  three\ndouble: \"one\n  two\\\n  three\"\nsingle: 'one\n\n  two'\nlast: 1\n",
    ),
    ("null in many ways", "a:\nb: ~\nc: null\nd: # nothing but a comment\ne:\n- \n- ~\n-\nf: {g: , h}\n"),
    ("empty collections", "a: {}\nb: []\nc: { }\nd: [ ]\ne:\n  f: {}\ng: {\n  # nothing yet\n}\n"),
    (
        "numbers and booleans",
        "port: 8080\nratio: 0.5\nyes: no\noctal: 0644\nhex: 0x1f\nbig: 12345678901\ndate: 2024-01-01\nversion: 1.10.0\n",
    ),
    (
        "strings that look like numbers",
        "version: \"1.10\"\nport: '8080'\nmode: \"0644\"\nanswer: \"yes\"\ntime: 12:30:45\n",
    ),
    ("sequences in sequences", "matrix:\n- - 1\n  - 2\n- - 3\n- [4, 5]\n-\n  - 6\n  - 7\n"),
    (
        "mappings on the dash",
        "list:\n- name: a\n  value: 1\n  # about both\n- name: b # beside b\n-   name: c\n    value: 3\n-\n  name: d\n- # why\n  name: e\n  value: 5\n",
    ),
    ("a sequence at the top", "- a\n- b: 1\n  c: 2\n# end\n"),
    ("no indentation for the list", "metadata:\n  finalizers:\n  - one\n  - two\nspec:\n  list:\n  - x: 1\n"),
    (
        "wide characters",
        "name: 日本語 # コメント\nemoji: \"🚀\"\nmap: {ключ: значение, b: ü}\nlist:\n- äöü: 1\n  next: 2\n",
    ),
    ("tags", "a: !!str 123\nb: !!int \"4\"\nc: !!map {d: 1}\n"),
    ("explicit keys", "? a\n: 1\n? b\n: - x\n  - y\nc: 3\n"),
    ("spaces around colons", "a  :   1\nb :\n    c   : 2   \nd:   [ 1 ,2 , 3 ]   # spaced\ne: { f : 1 ,g : 2 }\n"),
    ("comments in flow style", "a: [ # first\n  1, # one\n  2 # two\n  # after two\n]\nb: {c: 1, # c\n  d: 2}\n"),
    ("many blank lines", "\n\na: 1\n\n\nb:\n\n  c: 2\n\n\n  d: 3\n\n\n\ne: 4\n\n\n"),
    (
        "a Secret of SOPS",
        "apiVersion: v1\nkind: Secret\nmetadata:\n    name: values\nstringData:\n    values.yml: ENC[AES256_GCM,data:AAAA,iv:BBBB,tag:CCCC,type:str]\nsops:\n    age:\n        - recipient: age1qqqq\n          enc: |\n            -----BEGIN AGE ENCRYPTED FILE-----\n            AAAA\n            -----END AGE ENCRYPTED FILE-----\n    lastmodified: \"2024-01-01T00:00:00Z\"\n    version: 3.9.0\n",
    ),
    (
        "a Kustomization with patches",
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [packageinstall.yaml, params.yaml] # all\npatches:\n- target: {kind: PackageInstall}\n  patch: |-\n    - op: replace\n      path: /spec/syncPeriod\n      value: 1m\n- path: more.yaml\n",
    ),
];
