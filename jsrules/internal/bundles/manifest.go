package bundles

// All returns every bundle. One test compares each bundle with its hash, and another with what npm
// has under the same name and version.
//
// The global _ of Auth0's rules was lodash 2.4, and the global async was async 0.9: package.json of
// auth0-authz-rules-api, which made these globals, says so. The results of many of their functions
// differ in later versions. require returned the current versions.
func All() []Bundle {
	return []Bundle{
		{
			Name:    "lodash",
			Package: "lodash",
			Version: "4.18.1",
			Integrity: "sha512-dMInicTPVE8d1e5otfwmmjlxkZoUpiVLwyeTdUsi/Caj/gfzzblBc" +
				"CE5sRHV/AsjuCmxWrte2TNGSYuCeCq+0Q==",
			File:   "lodash.min.js",
			SHA256: "a8d7e6291ad80256f976ace90824a71018d2f706992c9107b20bdced97bee27b",
		},
		{
			Name:    "lodash@2",
			Package: "lodash",
			Version: "2.4.2",
			Integrity: "sha512-Kak1hi6/hYHGVPmdyiZijoQyz5x2iGVzs6w9GYB/HiXEtylY7tIoY" +
				"EROMjvM1d9nXJqPOrG2MNPMn01bJ+S0Rw==",
			File:   "dist/lodash.min.js",
			SHA256: "9c070c2008d0acff62203fcd6db804e3baf559032eb7b5fe715242b0de3f52f0",
		},
		{
			Name:    "moment",
			Package: "moment",
			Version: "2.31.0",
			Integrity: "sha512-0acOTfMiWOheYS4eoWb80yYMb/JLvVv9SHbs2PehaDzfUG0Bw855S" +
				"Kyk0IKTnPGa5+U2bmi3W68l1+sGLX/pvw==",
			File:   "min/moment.min.js",
			SHA256: "c111ad2e4447c253765e679bb4a40ba91a3e23d80b4b69d603a0fd25164cb9de",
		},
		{
			Name:    "moment/locale",
			Package: "moment",
			Version: "2.31.0",
			Integrity: "sha512-0acOTfMiWOheYS4eoWb80yYMb/JLvVv9SHbs2PehaDzfUG0Bw855S" +
				"Kyk0IKTnPGa5+U2bmi3W68l1+sGLX/pvw==",
			File:   "locale/",
			SHA256: "c48fa5d5c3e8c100c51dd298727c978df253a24fed7887066284b0434a39ce8b",
		},
		{
			Name:    "moment-timezone",
			Package: "moment-timezone",
			Version: "0.6.6",
			Integrity: "sha512-LF5AAYsMduXFW2ungr/D9JqNq9ykZyhWgYG6wFtdGZW5ZlBDTBgTU" +
				"FqW8EC7Fa+Dvs3IMZxlWkSR09sW2D/+0w==",
			File:   "builds/moment-timezone-with-data.min.js",
			SHA256: "c02404ce1b4ee41eb1678a31cb3fd296e17715d4592bc44d0739a3b4406a0ade",
		},
		{
			Name:    "async",
			Package: "async",
			Version: "2.6.4",
			Integrity: "sha512-mzo5dfJYwAn29PeiJ0zvwTo04zj8HDJj0Mn8TD7sno7q12prdbnas" +
				"KJHhkm2c1LgrhlJ0teaea8860oxi51mGA==",
			File:   "dist/async.min.js",
			SHA256: "6cb9078dd90e37b073942e3a9d46033218f1881941c0349808e80d002d35c709",
		},
		{
			Name:    "async@0",
			Package: "async",
			Version: "0.9.2",
			Integrity: "sha512-l6ToIJIotphWahxxHyzK9bnLR6kM4jJIIgLShZeqLY7iboHoGkdgF" +
				"l7W2/Ivi4SkMJYGKqW8vSuk0uKUj6qsSw==",
			File:   "lib/async.js",
			SHA256: "0676c4176d322dedfce68f3b970acd009c81175b83bd2b850b324a3e3263ef6d",
		},
		{
			Name:    "bluebird",
			Package: "bluebird",
			Version: "3.7.2",
			Integrity: "sha512-XpNj6GDQzdfW+r2Wnn7xiSAd7TM3jzkxGXBGTtWKuSXv1xUV+azxA" +
				"m8jdWZN06QTQk+2N2XB9jRDkvbmQmcRtg==",
			File:   "js/browser/bluebird.min.js",
			SHA256: "bd5da4364c94b11a9e56f0d0388439082ef6d3b29c15255ac17bad40abe0c248",
		},
	}
}
