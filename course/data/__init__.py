"""Data to learn from: bundled, downloaded, or your own.

emoji               pictures of some 500 objects in ten classes and three drawing styles; bundled
scenes              several emoji on a textured background, with exact boxes and masks
backgrounds         the textures of scenes
sentences           sentences with topics, opinions or named entities, made from templates
sentence_templates  the words and patterns of sentences
sounds              eight kinds of synthetic sounds
spectrogram         a sound as a picture
pets                Oxford-IIIT Pet as pictures, and as scenes with masks; downloaded
pet_files           its files, found, checked or downloaded
text_datasets       film reviews (SST-2) and named entities (WikiANN); downloaded
huggingface         files from the Hugging Face hub: data sets and text encoders
downloads           downloads that resume, checked by their hashes, and the folders they are kept in
photographs         two photographs that come with scikit-learn
pictures            your own pictures, in one folder per class
picture_table       your own pictures, listed in a CSV file
held_out            hold_out(): part of a data set kept for validation
splits              split_pictures(): your own pictures as training, validation and test set
augmentation        random versions of the training pictures
picture_files       a picture file of any kind, read as RGB
annotations         boxes and masks of your own data, checked before training
duplicates          test pictures that are also in training
loaders             make_loader(): a DataLoader that keeps a GPU busy, from a notebook
"""
