function (user, context, callback) {
  const found = [];
  groups: for (const g of user.groups) {
    for (const c of g) {
      if (c === 'a') { found.push(g); continue groups; }
      if (c === 'z') break groups;
    }
  }
  user.got = found;
  callback(null, user, context);
}
