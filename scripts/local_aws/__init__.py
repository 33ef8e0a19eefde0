"""The local AWS emulator: MiniStack, with what Weir needs of AWS and MiniStack does not do.

One file a service, one function a patch. Each patch names the AWS document that it follows, and the code that it was
written for: `patching` refuses to start when a new MiniStack has other code there.
"""
