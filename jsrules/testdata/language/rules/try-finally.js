function (user, context, callback) {
  const log = [];
  try {
    try { JSON.parse('{'); } catch (e) { log.push(e.name); throw new RangeError('again'); } finally { log.push('finally'); }
  } catch (e) {
    log.push(e instanceof RangeError, e.message);
  }
  user.got = log;
  callback(null, user, context);
}
