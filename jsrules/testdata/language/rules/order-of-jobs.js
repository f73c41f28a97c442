function (user, context, callback) {
  const log = [];
  setTimeout(() => { log.push('timer'); user.got = log; callback(null, user, context); }, 2);
  Promise.resolve().then(() => log.push('promise 1')).then(() => log.push('promise 2'));
  queueMicrotask(() => log.push('microtask'));
  (async () => { log.push('async'); await null; log.push('after await'); })();
  log.push('end');
}
