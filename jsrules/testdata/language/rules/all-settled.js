async function (user, context, callback) {
  const results = await Promise.allSettled([1, Promise.reject(new TypeError('no')), (async () => 3)()]);
  user.got = results.map((r) => r.status === 'fulfilled' ? r.value : r.reason.name);
  callback(null, user, context);
}
