/*{
 "Outcome": "passed",
 "User": {
  "basic": "dXNlcjpww6Rzc3dvcmQ=",
  "back": "user:pässword",
  "hex": "01ff2trueab",
  "hash": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
  "mac": "3nybhbi3iqa8ino29wqQcBydtNk=",
  "jwt": 1,
  "equal": true,
  "json": {
   "type": "Buffer",
   "data": [
    65
   ]
  },
  "kinds": [
   true,
   true,
   false,
   false
  ]
 }
}*/
function (user, context, callback) {
  const crypto = require('crypto');
  const {Buffer: B} = require('buffer');
  user.basic = new Buffer('user:pässword').toString('base64');
  user.back = Buffer.from(user.basic, 'base64').toString();
  user.hex = Buffer.from([1, 255]).toString('hex') + Buffer('ab').length + B.isBuffer(Buffer.alloc(2, 'xy')) + Buffer.concat([Buffer.from('a'), Buffer.from('b')]);
  user.hash = crypto.createHash('sha256').update('abc').digest('hex');
  user.mac = crypto.createHmac('sha1', 'key').update('The quick brown fox ').update('jumps over the lazy dog').digest('base64');
  user.jwt = JSON.parse(Buffer.from('eyJhIjoxfQ', 'base64url').toString('utf8')).a;
  user.equal = Buffer.from('abc').slice(1).equals(Buffer.from('bc'));
  user.json = Buffer.from('A');
  user.kinds = [Buffer.from('a') instanceof Buffer, Buffer.from('a') instanceof Uint8Array, [] instanceof Uint8Array, new Uint8Array(2) instanceof Buffer];
  callback(null, user, context);
}
