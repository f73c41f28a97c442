package idtoken

import "math/big"

// rocaPrimes are those modulo which 65537 does not generate the whole group.
var rocaPrimes = []int64{
	11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157,
}

// HasROCAFingerprint tells whether a modulus was made by the generator of CVE-2017-15361: its
// primes, and so the modulus, lie in the subgroup that 65537 generates modulo each small prime
// (Nemec et al., CCS 2017, §3.3).
func HasROCAFingerprint(n *big.Int) bool {
	for _, prime := range rocaPrimes {
		residue := new(big.Int).Mod(n, big.NewInt(prime)).Int64()
		member := false
		for power, i := int64(1), int64(0); i < prime && !member; i++ {
			member = power == residue
			power = power * 65537 % prime
		}
		if !member {
			return false
		}
	}
	return true
}
