const {callable, refuse, unavailable} = require('errors');

exports.env = {};
exports.nextTick = (f, ...values) => {
	callable('callback', f);
	Promise.resolve().then(() => f(...values));
};
refuse(exports, 'process.', [
	'abort', 'binding', 'chdir', 'cwd', 'dlopen', 'emitWarning', 'exit', 'hrtime', 'kill',
	'memoryUsage', 'on', 'once', 'uptime'
]);
for (const name of ['argv', 'pid', 'platform', 'stderr', 'stdin', 'stdout', 'version', 'versions']) {
	Object.defineProperty(exports, name, {
		configurable: true,
		get() { throw unavailable('process.' + name); }
	});
}
