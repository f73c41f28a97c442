function (user, context, callback) {
  function Role(name) { this.name = name; }
  Role.prototype.arn = function () { return 'arn:aws:iam::1:role/' + this.name; };
  function Admin() { Role.call(this, 'admin'); }
  Admin.prototype = Object.create(Role.prototype);
  Admin.prototype.constructor = Admin;
  var admin = new Admin();
  user.got = [admin.arn(), admin instanceof Role, Object.keys(admin), admin.constructor.name];
  callback(null, user, context);
}
