function (user, context, callback) {
  const at = new Date('2020-03-29T02:30:00');
  const weekday = at.toLocaleDateString('en-US', {weekday: 'long'});
  user.got = [weekday, at.getHours(), at.getDay() === 0, at.toLocaleString(), (12345.678).toLocaleString()];
  callback(null, user, context);
}
