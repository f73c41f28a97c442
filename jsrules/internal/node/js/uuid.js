const {randomBytes, createHash} = require('crypto');
const {Buffer} = require('buffer');

const pattern = new RegExp('^(?:[0-9a-f]{8}-[0-9a-f]{4}-[1-5][0-9a-f]{3}-[89ab][0-9a-f]{3}-' +
	'[0-9a-f]{12}|00000000-0000-0000-0000-000000000000)$', 'i');

const validate = (text) => typeof text === 'string' && pattern.test(text);

const checked = (text) => {
	if (!validate(text)) throw TypeError('Invalid UUID');
	return text;
};

const format = (bytes, offset = 0) => {
	const hex = Buffer.from(Array.from(bytes).slice(offset, offset + 16)).toString('hex');
	return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)]
		.join('-');
};

const parse = (text) => new Uint8Array(Buffer.from(checked(text).split('-').join(''), 'hex'));

// given puts bytes into a list that the caller gave, or makes a text of them.
const given = (bytes, list, offset = 0) => {
	if (!list) return format(bytes);
	for (let i = 0; i < 16; i++) list[offset + i] = bytes[i];
	return list;
};

const random = (options) => {
	if (options && options.random) return options.random;
	if (options && options.rng) return options.rng();
	return randomBytes(16);
};

const v4 = (options, list, offset) => {
	if (options === 'binary') list = list || new Array(16); // of version 2 and before
	const bytes = Array.from(random(options));
	bytes[6] = bytes[6] & 0x0f | 0x40;
	bytes[8] = bytes[8] & 0x3f | 0x80;
	return given(bytes, list, offset);
};

// What v1 remembers between two calls of a run.
let node;
let sequence;
let lastTime = 0;
let lastTick = 0;

const v1 = (options, list, offset) => {
	const o = options || {};
	if (node === undefined) {
		const seed = Array.from(random(o));
		node = o.node || [seed[0] | 1, seed[1], seed[2], seed[3], seed[4], seed[5]];
		sequence = o.clockseq !== undefined ? o.clockseq : (seed[6] << 8 | seed[7]) & 0x3fff;
	}
	const time = o.msecs !== undefined ? o.msecs : Date.now();
	let tick = o.nsecs !== undefined ? o.nsecs : lastTick + 1;
	let clock = o.clockseq !== undefined ? o.clockseq : sequence;
	const moved = time - lastTime + (tick - lastTick) / 10000;
	if (moved < 0 && o.clockseq === undefined) clock = clock + 1 & 0x3fff;
	if ((moved < 0 || time > lastTime) && o.nsecs === undefined) tick = 0;
	if (tick >= 10000) throw new Error("uuid.v1(): Can't create more than 10M uuids/sec");
	lastTime = time;
	lastTick = tick;
	sequence = clock;
	const since = time + 12219292800000; // milliseconds since 1582-10-15
	const low = ((since & 0xfffffff) * 10000 + tick) % 0x100000000;
	const high = (since / 0x100000000) * 10000 & 0xfffffff;
	const made = Buffer.alloc(16);
	made.writeUInt32BE(low, 0);
	made[4] = high >>> 8 & 0xff;
	made[5] = high & 0xff;
	made[6] = high >>> 24 & 0xf | 0x10;
	made[7] = high >>> 16 & 0xff;
	made[8] = clock >>> 8 | 0x80;
	made[9] = clock & 0xff;
	const address = o.node || node;
	for (let i = 0; i < 6; i++) made[10 + i] = address[i];
	return given(made, list, offset);
};

const named = (version, algorithm) => {
	const make = (value, namespace, list, offset) => {
		const bytes = typeof value === 'string' ? Buffer.from(value) : Buffer.from(Array.from(value));
		const space = typeof namespace === 'string' ? parse(namespace) : namespace;
		if (!space || space.length !== 16) {
			throw TypeError('Namespace must be array-like (16 iterable integer values, 0-255)');
		}
		const made = createHash(algorithm)
			.update(Buffer.concat([Buffer.from(Array.from(space)), bytes])).digest().subarray(0, 16);
		made[6] = made[6] & 0x0f | version << 4;
		made[8] = made[8] & 0x3f | 0x80;
		return given(made, list, offset);
	};
	make.DNS = '6ba7b810-9dad-11d1-80b4-00c04fd430c8';
	make.URL = '6ba7b811-9dad-11d1-80b4-00c04fd430c8';
	return make;
};

// Up to version 3, the package is the function v4.
const uuid = (options, list, offset) => v4(options, list, offset);
Object.assign(uuid, {
	v1,
	v3: named(3, 'md5'),
	v4,
	v5: named(5, 'sha1'),
	NIL: '00000000-0000-0000-0000-000000000000',
	validate,
	version: (text) => parseInt(checked(text).slice(14, 15), 16),
	parse,
	unparse: (bytes, offset) => format(bytes, offset),
	stringify: (bytes, offset) => {
		const text = format(bytes, offset);
		if (!validate(text)) throw TypeError('Stringified UUID is invalid');
		return text;
	}
});
module.exports = uuid;
