package main

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"io"
	"math/big"
	"time"
)

// writeCertificates writes new certificates and their keys as one JSON object of PEM texts, so that none is in Git.
func writeCertificates(output io.Writer) error {
	_, ed25519Key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	keys := map[string]crypto.Signer{"RSA": rsaKey, "ED25519": ed25519Key}
	for name, curve := range map[string]elliptic.Curve{"EC": elliptic.P256(), "OTHER": elliptic.P384(), "P521": elliptic.P521()} {
		if keys[name], err = ecdsa.GenerateKey(curve, rand.Reader); err != nil {
			return err
		}
	}

	texts := map[string]string{}
	for name, key := range keys {
		certificate := &x509.Certificate{
			SerialNumber:          big.NewInt(1),
			Subject:               pkix.Name{CommonName: "fake " + name},
			NotAfter:              time.Now().Add(24 * time.Hour),
			IsCA:                  true,
			BasicConstraintsValid: true,
		}
		signed, err := x509.CreateCertificate(rand.Reader, certificate, certificate, key.Public(), key)
		if err != nil {
			return err
		}
		pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			return err
		}
		texts[name+"_CERTIFICATE"] = block("CERTIFICATE", signed, nil)
		texts[name+"_KEY"] = block("PRIVATE KEY", pkcs8, nil)
	}
	sec1, err := x509.MarshalECPrivateKey(keys["EC"].(*ecdsa.PrivateKey))
	if err != nil {
		return err
	}
	signed, _ := pem.Decode([]byte(texts["EC_CERTIFICATE"]))
	texts["SEC1_KEY"] = block("EC PRIVATE KEY", sec1, nil)
	texts["PKCS1_KEY"] = block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaKey), nil)
	texts["HEADED_KEY"] = block("EC PRIVATE KEY", sec1, map[string]string{"Note": "fake"})
	texts["LOCKED_KEY"] = block("EC PRIVATE KEY", signed.Bytes[20:90], map[string]string{"Proc-Type": "4,ENCRYPTED"})
	texts["ENCRYPTED_KEY"] = block("ENCRYPTED PRIVATE KEY", []byte{0x30, 0x03, 0x02, 0x01, 0x01}, nil)
	texts["JUNK_CERTIFICATE"] = block("CERTIFICATE", []byte{0x30, 0x03, 0x02, 0x01, 0x01}, nil)
	texts["HEADED_CERTIFICATE"] = block("CERTIFICATE", signed.Bytes, map[string]string{"Note": "fake"})
	texts["BROKEN_CERTIFICATE"] = block("CERTIFICATE", signed.Bytes[:len(signed.Bytes)/2], nil)
	texts["BROKEN_KEY"] = block("EC PRIVATE KEY", sec1[:len(sec1)/2], nil)
	texts["TEXT"] = "fake text without any block"
	return json.NewEncoder(output).Encode(texts)
}

func block(label string, content []byte, headers map[string]string) string {
	var text bytes.Buffer
	if err := pem.Encode(&text, &pem.Block{Type: label, Headers: headers, Bytes: content}); err != nil {
		return err.Error()
	}
	return text.String()
}
