print('Hello, world!')  # für
