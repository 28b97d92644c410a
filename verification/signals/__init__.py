"""Images that rescale exactly: closed forms, scenes, fields of scales; and warps of pixels."""
