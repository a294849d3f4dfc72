package main

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
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
	ended := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "fake ended"},
		NotAfter:     time.Now().Add(-24 * time.Hour),
	}
	expired, err := x509.CreateCertificate(rand.Reader, ended, ended, keys["EC"].Public(), keys["EC"])
	if err != nil {
		return err
	}
	texts["EXPIRED_CERTIFICATE"] = block("CERTIFICATE", expired, nil)
	first, err := firstVersion(expired, keys["EC"])
	if err != nil {
		return err
	}
	texts["V1_CERTIFICATE"] = block("CERTIFICATE", first, nil)
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

// firstVersion signs a certificate again without extensions as X.509 version 1, as openssl makes it without a configuration.
func firstVersion(certificate []byte, key crypto.Signer) ([]byte, error) {
	parsed, err := x509.ParseCertificate(certificate)
	if err != nil {
		return nil, err
	}
	var contents struct {
		Version            int `asn1:"optional,explicit,default:0,tag:0"`
		SerialNumber       *big.Int
		SignatureAlgorithm pkix.AlgorithmIdentifier
		Issuer             asn1.RawValue
		Validity           asn1.RawValue
		Subject            asn1.RawValue
		PublicKey          asn1.RawValue
		Extensions         []pkix.Extension `asn1:"omitempty,optional,explicit,tag:3"`
	}
	if _, err := asn1.Unmarshal(parsed.RawTBSCertificate, &contents); err != nil {
		return nil, err
	}
	contents.Version, contents.Extensions = 0, nil
	body, err := asn1.Marshal(contents)
	if err != nil {
		return nil, err
	}
	digest := sha256.Sum256(body)
	signature, err := key.Sign(rand.Reader, digest[:], crypto.SHA256)
	if err != nil {
		return nil, err
	}
	return asn1.Marshal(struct {
		Contents           asn1.RawValue
		SignatureAlgorithm pkix.AlgorithmIdentifier
		Signature          asn1.BitString
	}{
		asn1.RawValue{FullBytes: body},
		contents.SignatureAlgorithm,
		asn1.BitString{Bytes: signature, BitLength: 8 * len(signature)},
	})
}

func block(label string, content []byte, headers map[string]string) string {
	var text bytes.Buffer
	if err := pem.Encode(&text, &pem.Block{Type: label, Headers: headers, Bytes: content}); err != nil {
		return err.Error()
	}
	return text.String()
}
