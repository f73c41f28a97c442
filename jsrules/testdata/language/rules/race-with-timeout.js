async function (user, context, callback) {
  const late = new Promise((resolve, reject) => setTimeout(() => reject(new Error('too late')), 5));
  const slow = new Promise((resolve) => setTimeout(resolve, 60, 'slow'));
  try { user.got = await Promise.race([slow, late]); } catch (e) { user.got = e.message; }
  callback(null, user, context);
}
