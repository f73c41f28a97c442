// What all cases find. Keys were made for these tests.
const buffer = require('buffer');
const later = (f) => new Promise((resolve) => f((...values) => resolve(values)));
const hexOf = (bytes) => Buffer.from(bytes).toString('hex');
const escaped = (text) => JSON.stringify(text).replace(/[^\x20-\x7e]/g, (c) => (
	'\\u' + c.charCodeAt(0).toString(16).padStart(4, '0')));
const ofLanguage = ['TypeError', 'RangeError', 'SyntaxError', 'ReferenceError', 'URIError'];

// show writes a value in one line. The text of an error counts only if it has no code and is not
// one of the language's own: engines word those differently.
function show(value) {
	if (typeof value === 'string') return escaped(value);
	if (typeof value === 'number') return Object.is(value, -0) ? '-0' : String(value);
	if (typeof value === 'function') return 'function';
	if (value === null || typeof value !== 'object') return String(value);
	if (value instanceof Error) {
		const name = String(value.name);
		if (value.code !== undefined) return name + ' ' + value.code;
		return ofLanguage.includes(name) ? name : name + ': ' + escaped(value.message);
	}
	if (Buffer.isBuffer(value)) return 'Buffer ' + hexOf(value);
	if (value instanceof Uint8Array) return 'Uint8Array ' + hexOf(value);
	if (value instanceof ArrayBuffer) return 'ArrayBuffer ' + hexOf(new Uint8Array(value));
	if (value instanceof Date) return 'Date ' + value.getTime();
	if (Array.isArray(value)) return '[' + value.map(show).join(', ') + ']';
	return '{' + Object.keys(value).map((name) => name + ': ' + show(value[name])).join(', ') + '}';
}

async function answer(make) {
	try {
		return show(await make());
	} catch (error) {
		return 'throws ' + show(error);
	}
}

const rsaPrivate = [
	'-----BEGIN RSA PRIVATE KEY-----',
	'MIIEpAIBAAKCAQEA0G+vcI93E+OT79I6D6POpMao8jR1jDI38yWTwUOP9tw8I9W7',
	'gphdlPJy/A9EHgqqWFXRRd7VYUea1afnbpa6ZDXwMyhH77UNG8VRBkwpd11bMbm7',
	'g/W7C45wq147pyehm5BIVlxDQk7KHIquFgGdHiX7zSXMy2bzDc3P9uhwLWv/0hk+',
	'yLcqi23tQNT//nk6rfYYXsysU0ednKv2o+0HZgOxrQv5lHn6qWt4p0b5gWc8IMQ1',
	'bb6Cod5sDOj+aCBALEeKUQ9HFsceta42VhEI38PY03a0vxjdbKKKHTECAMYkIv8x',
	'440iKosrajO7kk4ayGGIUHlCzMdCHpTk0aiaFQIDAQABAoIBAAP+n/YgSb/v1J38',
	'AXDbStKNnB9IMhiFvdzDE5nYmaG5hs2JAxb1pJV+MAX0pPGOcsVOn7wfESfUH3uI',
	'xD6yVNAm2Huigf5uEdo+ZdchDopjF6RUUuusgfEuwaoHHE2PzOEWWsyM6B0VNXpm',
	'jf+N+FzjjXfZCZu8VVwmXZ31xnCYYGwM/BGneUi11j0DEZk2zn1kj+Rg3GhbDS/a',
	'N+MO6kE9PXWFP3qgMwDQ16cHPQzMkKiSpTJYmLty/V/D9oMBh1hCDRl/25zEfQQW',
	'0u0A+wFCeDXT3IgCJVp1niU9UmKXby+Rw/QonDT+RXqOkxXxZqN7WAHMRrU5Y0+C',
	'vBvHGAECgYEA6EDvegnxy3GLCely6kkRIRXGdey6ULvKeFC6ZnpaVX9yz45q3Y03',
	'24V9ud0JgMD2m4f1KyrW2IOWbuzlFTi33rG7dlz1WfsgUevwAhU45t4buOzt4Kmf',
	'tY4oDZQKOFWHt6N3YzviHAXUYO4FSUjM+ijA7dDvVfl2eS0UWiDhwlUCgYEA5b9Z',
	'B+BKesiJa7qU6nDXChA5+KyebUezdJpVFMs+c+hMqh4T3HYz7gQp+yXHPTpnXLI5',
	'e2JV6oQ/qwjqLD+0ieD9IEZABJ+1HJGFVbcUdlb2F6/lSlO0ZORlKmy5nak+D8Iw',
	'qzSZA17o1brymIAHh/wqfbr/OSgV+a1qm0youMECgYEAyL+v/xVvaUEIRBYD3Rww',
	'8R8IPs/Sr4vSUzK8G23wfOw/icX4+u1gdZ+p76ht2VtxDTh0Is7Ri64ZrmGXFUPE',
	'Mnn/pixtakxVQFomRzaey3b6EVrBtioHwP9SAYKPXugW+hUSUbTmGQC09N9ntFN3',
	'0Va+hBDPfsm0rMLZT5oSaU0CgYEAggtVccfbYLSyVHBAapOEpQWaStAqvOChC5dw',
	'IV0J9MHA42ozA89Eha2Ftcskg9vTNf0L3HNE/oHtJ/rb0kAdCQ55OROKmRNtiMY2',
	'GtaOlo2SrsW5m+DVc2Z0fRcd2cg6gOECe2ZCVk4arSAswXV2zdpGkvSOEuRFzBYF',
	'CfLSbgECgYBvMAQsdm3vPK/m8zJsGs1r7Y0YfP2uNjxM+Jhhiqc+MVgCvf9rRRfE',
	'p1pv2tTOzqoOed2kmy7cGdFIOf1q2HhXPf2fxGAuuMKhS+3O8x898VSrbs1Shgm1',
	'rsl08/RWOM9BHUuLv4P6pQkOYAf+uU7mPlkmSwL3aByyp98L/PKXlw==',
	'-----END RSA PRIVATE KEY-----'
].join('\n') + '\n';
const rsaPKCS8 = [
	'-----BEGIN PRIVATE KEY-----',
	'MIIEvgIBADANBgkqhkiG9w0BAQEFAASCBKgwggSkAgEAAoIBAQDQb69wj3cT45Pv',
	'0joPo86kxqjyNHWMMjfzJZPBQ4/23Dwj1buCmF2U8nL8D0QeCqpYVdFF3tVhR5rV',
	'p+dulrpkNfAzKEfvtQ0bxVEGTCl3XVsxubuD9bsLjnCrXjunJ6GbkEhWXENCTsoc',
	'iq4WAZ0eJfvNJczLZvMNzc/26HAta//SGT7ItyqLbe1A1P/+eTqt9hhezKxTR52c',
	'q/aj7QdmA7GtC/mUefqpa3inRvmBZzwgxDVtvoKh3mwM6P5oIEAsR4pRD0cWxx61',
	'rjZWEQjfw9jTdrS/GN1sooodMQIAxiQi/zHjjSIqiytqM7uSThrIYYhQeULMx0Ie',
	'lOTRqJoVAgMBAAECggEAA/6f9iBJv+/UnfwBcNtK0o2cH0gyGIW93MMTmdiZobmG',
	'zYkDFvWklX4wBfSk8Y5yxU6fvB8RJ9Qfe4jEPrJU0CbYe6KB/m4R2j5l1yEOimMX',
	'pFRS66yB8S7BqgccTY/M4RZazIzoHRU1emaN/434XOONd9kJm7xVXCZdnfXGcJhg',
	'bAz8Ead5SLXWPQMRmTbOfWSP5GDcaFsNL9o34w7qQT09dYU/eqAzANDXpwc9DMyQ',
	'qJKlMliYu3L9X8P2gwGHWEINGX/bnMR9BBbS7QD7AUJ4NdPciAIlWnWeJT1SYpdv',
	'L5HD9CicNP5Feo6TFfFmo3tYAcxGtTljT4K8G8cYAQKBgQDoQO96CfHLcYsJ6XLq',
	'SREhFcZ17LpQu8p4ULpmelpVf3LPjmrdjTfbhX253QmAwPabh/UrKtbYg5Zu7OUV',
	'OLfesbt2XPVZ+yBR6/ACFTjm3hu47O3gqZ+1jigNlAo4VYe3o3djO+IcBdRg7gVJ',
	'SMz6KMDt0O9V+XZ5LRRaIOHCVQKBgQDlv1kH4Ep6yIlrupTqcNcKEDn4rJ5tR7N0',
	'mlUUyz5z6EyqHhPcdjPuBCn7Jcc9Omdcsjl7YlXqhD+rCOosP7SJ4P0gRkAEn7Uc',
	'kYVVtxR2VvYXr+VKU7Rk5GUqbLmdqT4PwjCrNJkDXujVuvKYgAeH/Cp9uv85KBX5',
	'rWqbTKi4wQKBgQDIv6//FW9pQQhEFgPdHDDxHwg+z9Kvi9JTMrwbbfB87D+Jxfj6',
	'7WB1n6nvqG3ZW3ENOHQiztGLrhmuYZcVQ8Qyef+mLG1qTFVAWiZHNp7LdvoRWsG2',
	'KgfA/1IBgo9e6Bb6FRJRtOYZALT032e0U3fRVr6EEM9+ybSswtlPmhJpTQKBgQCC',
	'C1Vxx9tgtLJUcEBqk4SlBZpK0Cq84KELl3AhXQn0wcDjajMDz0SFrYW1yySD29M1',
	'/Qvcc0T+ge0n+tvSQB0JDnk5E4qZE22IxjYa1o6WjZKuxbmb4NVzZnR9Fx3ZyDqA',
	'4QJ7ZkJWThqtICzBdXbN2kaS9I4S5EXMFgUJ8tJuAQKBgG8wBCx2be88r+bzMmwa',
	'zWvtjRh8/a42PEz4mGGKpz4xWAK9/2tFF8SnWm/a1M7Oqg553aSbLtwZ0Ug5/WrY',
	'eFc9/Z/EYC64wqFL7c7zHz3xVKtuzVKGCbWuyXTz9FY4z0EdS4u/g/qlCQ5gB/65',
	'TuY+WSZLAvdoHLKn3wv88peX',
	'-----END PRIVATE KEY-----'
].join('\n') + '\n';
const rsaPublic = [
	'-----BEGIN PUBLIC KEY-----',
	'MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA0G+vcI93E+OT79I6D6PO',
	'pMao8jR1jDI38yWTwUOP9tw8I9W7gphdlPJy/A9EHgqqWFXRRd7VYUea1afnbpa6',
	'ZDXwMyhH77UNG8VRBkwpd11bMbm7g/W7C45wq147pyehm5BIVlxDQk7KHIquFgGd',
	'HiX7zSXMy2bzDc3P9uhwLWv/0hk+yLcqi23tQNT//nk6rfYYXsysU0ednKv2o+0H',
	'ZgOxrQv5lHn6qWt4p0b5gWc8IMQ1bb6Cod5sDOj+aCBALEeKUQ9HFsceta42VhEI',
	'38PY03a0vxjdbKKKHTECAMYkIv8x440iKosrajO7kk4ayGGIUHlCzMdCHpTk0aia',
	'FQIDAQAB',
	'-----END PUBLIC KEY-----'
].join('\n') + '\n';
const rsaPKCS1 = [
	'-----BEGIN RSA PUBLIC KEY-----',
	'MIIBCgKCAQEA0G+vcI93E+OT79I6D6POpMao8jR1jDI38yWTwUOP9tw8I9W7gphd',
	'lPJy/A9EHgqqWFXRRd7VYUea1afnbpa6ZDXwMyhH77UNG8VRBkwpd11bMbm7g/W7',
	'C45wq147pyehm5BIVlxDQk7KHIquFgGdHiX7zSXMy2bzDc3P9uhwLWv/0hk+yLcq',
	'i23tQNT//nk6rfYYXsysU0ednKv2o+0HZgOxrQv5lHn6qWt4p0b5gWc8IMQ1bb6C',
	'od5sDOj+aCBALEeKUQ9HFsceta42VhEI38PY03a0vxjdbKKKHTECAMYkIv8x440i',
	'KosrajO7kk4ayGGIUHlCzMdCHpTk0aiaFQIDAQAB',
	'-----END RSA PUBLIC KEY-----'
].join('\n') + '\n';
const certificate = [
	'-----BEGIN CERTIFICATE-----',
	'MIIDATCCAemgAwIBAgIUVsMRhKxpV7F9zPrbMQtMphDMHqkwDQYJKoZIhvcNAQEL',
	'BQAwDzENMAsGA1UEAwwEdGVzdDAgFw0yNjExMjkxODAxMTBaGA8yMTI2MTEwNTE4',
	'MDExMFowDzENMAsGA1UEAwwEdGVzdDCCASIwDQYJKoZIhvcNAQEBBQADggEPADCC',
	'AQoCggEBANBvr3CPdxPjk+/SOg+jzqTGqPI0dYwyN/Mlk8FDj/bcPCPVu4KYXZTy',
	'cvwPRB4KqlhV0UXe1WFHmtWn526WumQ18DMoR++1DRvFUQZMKXddWzG5u4P1uwuO',
	'cKteO6cnoZuQSFZcQ0JOyhyKrhYBnR4l+80lzMtm8w3Nz/bocC1r/9IZPsi3Kott',
	'7UDU//55Oq32GF7MrFNHnZyr9qPtB2YDsa0L+ZR5+qlreKdG+YFnPCDENW2+gqHe',
	'bAzo/mggQCxHilEPRxbHHrWuNlYRCN/D2NN2tL8Y3Wyiih0xAgDGJCL/MeONIiqL',
	'K2ozu5JOGshhiFB5QszHQh6U5NGomhUCAwEAAaNTMFEwHQYDVR0OBBYEFHTEtWsS',
	'87oRLLE4ciRA0QL1oH08MB8GA1UdIwQYMBaAFHTEtWsS87oRLLE4ciRA0QL1oH08',
	'MA8GA1UdEwEB/wQFMAMBAf8wDQYJKoZIhvcNAQELBQADggEBAC7la+z/wuLjRQyJ',
	'rwELH2RNQvccNBrY/yaZBnZHdUjS34WkWqUSLI1iIpojD7pTuefq89i4+c+jmYfx',
	'0OVE1GvhJ3oNxcJJ2GiW0Bb9eKX5FQCdh5yTlKyrPVbgnlr21dEFYRd5tmkU55kg',
	'UQcpfzP03eS28MKjF70qFwOKexo30ga1Irh2zwGf+fZcIX+bgh85NSN/ljKpBTCy',
	'nGMFcAw50sWIVOTKMTkzye9BeSSs0aabsKdNXeyDw5FNQLiIl3UNh7vHycrwOppI',
	'y4P47yXZFLeuI2b2sDji1zv3AS/lThaLLYAEvtsOajjD1OEumC7VyXBzqqyFVMr9',
	'ou5Bt4w=',
	'-----END CERTIFICATE-----'
].join('\n') + '\n';
const shortPrivate = [
	'-----BEGIN RSA PRIVATE KEY-----',
	'MIICXAIBAAKBgQCw7z4CD39KWl5Az6RjA10PvEAyDw3WulB4TGJuPNvngzkuqX+/',
	'mno2oYWHAPtt7qmxVyCfEBnbwS7bptwxOWSJxr9P/Q4OF0t0jUesknyTsgIC7ask',
	'Xu4ABTUdeHS+3OwybFT/5f2mujD+vwuf8TxbmhIOE7Tc1zfRUPQGSPCHgwIDAQAB',
	'AoGBAIsYOVYjWr1YF5q54hCYt1NEee8gmI+DPvmjiwoAvBvftFdzluNJDOTfy/ob',
	'Eo4UvsCUryd83+c7kpvJLHdiGB9M/vlmjE8ZmnGcyUReYcGE6MiDvZOIVhRJh+h2',
	'4PKBFuvQKSznX04qFTFvLURYX39qeZlaZ7nK2U57RM1RU4yxAkEA3csV4XCiSseB',
	'7ZjTXaLFepN1sXJJv9j1JIg1Cu/+3VlrDiZrEDP79v8odCEIHKUdlPXltC5vQd/u',
	'DCK3f1bXuQJBAMw5B1VmK1QaRjGUMyOth1Pggpbg1Z+JSmGmnMc1jLRplmeLF1B3',
	'ssFjoyQ4cUEL7oYESIL6Od/rlcqsB09bfxsCQFgu6+czikNjKYSXU8qR8iR3Rr8j',
	'qrDtiSJaSYSswU+uwsLggYbytEaTUrlBfOEuwSE913OZVsEBULtgfkbR93kCQEyZ',
	'E0QXtyarWCqeYHQAUSLHsZNvrxBQiUKJIIKjdivw8oXRqKP40WYxve4G8YupMwS3',
	'NI9T1UNEdIF49qDwO4MCQBjnZUty4fTnkvTeGbWENWKlk4tIPmtXaol+foJVHCFD',
	'3Fep3ZJgIBFcMBrkoSzGLgdyxj93bhHDUmCasd9/F2I=',
	'-----END RSA PRIVATE KEY-----'
].join('\n') + '\n';
const ecPrivate = [
	'-----BEGIN EC PRIVATE KEY-----',
	'MHcCAQEEIIxCikSJhWVBkiBC6XvNzCWotbYvcvmge6sMtt9FmtNBoAoGCCqGSM49',
	'AwEHoUQDQgAE/WtVv2j9EDDCXLXSMdnl4mHNjR7hnuZehdBwismuDuvR1nRDeVEl',
	'i1sh6wietNOX5iBaDRKc3V26rVm67wqDlQ==',
	'-----END EC PRIVATE KEY-----'
].join('\n') + '\n';
const ecPublic = [
	'-----BEGIN PUBLIC KEY-----',
	'MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE/WtVv2j9EDDCXLXSMdnl4mHNjR7h',
	'nuZehdBwismuDuvR1nRDeVEli1sh6wietNOX5iBaDRKc3V26rVm67wqDlQ==',
	'-----END PUBLIC KEY-----'
].join('\n') + '\n';
const ec384Private = [
	'-----BEGIN PRIVATE KEY-----',
	'MIG2AgEAMBAGByqGSM49AgEGBSuBBAAiBIGeMIGbAgEBBDAAQOxx0bnbRkM+PQp9',
	'1Jt7+Jjv+N8VSAWzGzy4ntxlQWoXIrkphs53/5ZT6MwaYsGhZANiAASzISdVvjmx',
	'JBz+DoiB3H0rgWgYIpchK0xVmwZSYZGU4a1Q34bQa+3NlDE/c8QafP87N2uBG5zM',
	'9GHY4pjkZgbD332mYaPgXwSxEUpuYpe7WUzx+uZp67xfCjJteYLwU5U=',
	'-----END PRIVATE KEY-----'
].join('\n') + '\n';
const ec384Public = [
	'-----BEGIN PUBLIC KEY-----',
	'MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEsyEnVb45sSQc/g6Igdx9K4FoGCKXIStM',
	'VZsGUmGRlOGtUN+G0GvtzZQxP3PEGnz/OzdrgRuczPRh2OKY5GYGw999pmGj4F8E',
	'sRFKbmKXu1lM8frmaeu8XwoybXmC8FOV',
	'-----END PUBLIC KEY-----'
].join('\n') + '\n';
const ec521Private = [
	'-----BEGIN EC PRIVATE KEY-----',
	'MIHcAgEBBEIBuMI0gNCJjcjtiRnQz+UqlHU+nBEGZi4bQWbJVTrZAucHS29I54Vf',
	'OuJa4q+cr+Zcj0tJ//WuSre8Y8jyQsIsjPygBwYFK4EEACOhgYkDgYYABAEx/Lnj',
	'+EKvfFIJzB3U03YH9UUTKhBSrDWp7b1I9AH40hAuOB465vFMbApfJLsZn/vzaYOd',
	'5f8n8/vB7kUPFHHmRgChLy/QwAPFOOI2OxIz4EmsKEQ2YNGZaA4ZKlhbG8I6bmUc',
	'sB1DXjOTci/P7Gv7Q7HnWj71fvrERM8EXWYlcdh1LA==',
	'-----END EC PRIVATE KEY-----'
].join('\n') + '\n';
const ec521Public = [
	'-----BEGIN PUBLIC KEY-----',
	'MIGbMBAGByqGSM49AgEGBSuBBAAjA4GGAAQBMfy54/hCr3xSCcwd1NN2B/VFEyoQ',
	'Uqw1qe29SPQB+NIQLjgeOubxTGwKXyS7GZ/782mDneX/J/P7we5FDxRx5kYAoS8v',
	'0MADxTjiNjsSM+BJrChENmDRmWgOGSpYWxvCOm5lHLAdQ14zk3Ivz+xr+0Ox51o+',
	'9X76xETPBF1mJXHYdSw=',
	'-----END PUBLIC KEY-----'
].join('\n') + '\n';
const edPrivate = [
	'-----BEGIN PRIVATE KEY-----',
	'MC4CAQAwBQYDK2VwBCIEIHISw6+P5yDcBfAn5T/Sqd1PhR46F5X0Zm7nWz6V20Op',
	'-----END PRIVATE KEY-----'
].join('\n') + '\n';
const edPublic = [
	'-----BEGIN PUBLIC KEY-----',
	'MCowBQYDK2VwAyEAqLcpPPGTMqpO2zushZT0HX1PrgVYPK572WsuD0Y9nI0=',
	'-----END PUBLIC KEY-----'
].join('\n') + '\n';
