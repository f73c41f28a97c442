/*{
 "Outcome": "passed",
 "Configuration": {
  "KEY": "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
 },
 "User": {
  "opened": "DE89 3704 0044",
  "sealedIsText": false,
  "tampered": "Unsupported state or unable to authenticate data"
 }
}*/
function (user, context, callback) {
  const key = Buffer.from(configuration.KEY, 'hex');
  const iv = crypto.randomBytes(12);
  const cipher = crypto.createCipheriv('aes-256-gcm', key, iv);
  const sealed = cipher.update('DE89 3704 0044', 'utf8', 'base64') + cipher.final('base64');
  const open = function (text) {
    const decipher = crypto.createDecipheriv('aes-256-gcm', key, iv);
    decipher.setAuthTag(cipher.getAuthTag());
    return decipher.update(text, 'base64', 'utf8') + decipher.final('utf8');
  };
  user.opened = open(sealed);
  user.sealedIsText = sealed.includes('DE89');
  try {
    open('A' + sealed.slice(1) + 'AAAA');
  } catch (e) {
    user.tampered = e.message;
  }
  callback(null, user, context);
}
