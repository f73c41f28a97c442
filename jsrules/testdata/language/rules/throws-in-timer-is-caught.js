function (user, context, callback) {
  new Promise((resolve, reject) => {
    setTimeout(() => { try { throw new Error('inside'); } catch (e) { reject(e); } }, 1);
  }).catch((e) => { user.got = e.message; callback(null, user, context); });
}
